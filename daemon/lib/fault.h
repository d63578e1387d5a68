/*
 * Fault points: named places where a test may make the daemon die, fail or wait. In a build without ALTERD_FAULTS they
 * cost nothing and cannot be reached. Set by the environment: ALTERD_FAULT="name:action[:nth]", comma-separated, action
 * one of kill (SIGKILL to itself), fail (the call site takes its error path), nth counted from 1 (default 1).
 */
#ifndef ALTERD_LIB_FAULT_H
#define ALTERD_LIB_FAULT_H

#include <stdbool.h>

#ifdef ALTERD_FAULTS
bool fault_hit(const char *name); /* true: take the error path */
#define FAULT(name) fault_hit(name)
#else
#define FAULT(name) false
#endif

#endif
