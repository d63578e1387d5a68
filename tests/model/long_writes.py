#!/usr/bin/env python3
"""The model of writes in its long form: five minutes."""
import os
import sys

program = os.path.join(os.path.dirname(os.path.realpath(__file__)), "model_writes.py")
os.execv(sys.executable, [sys.executable, program, "--seconds", os.environ.get("ALTERD_LONG_SECONDS", "300")])
