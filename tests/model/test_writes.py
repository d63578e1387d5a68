#!/usr/bin/env python3
"""The model of writes in its short form: a seed of its own each time, printed."""
import os
import sys

program = os.path.join(os.path.dirname(os.path.realpath(__file__)), "model_writes.py")
os.execv(sys.executable, [sys.executable, program, "--seconds", "10"])
