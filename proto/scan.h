/*
 * A look at a request's line before any tree is built of it: what could hurt (nesting, number of values) is refused
 * while it is still only text. Inside proto only.
 */
#ifndef ALTERD_PROTO_SCAN_H
#define ALTERD_PROTO_SCAN_H

#include <stddef.h>

#include "proto/error.h"

/*
 * Checks a line against REQUEST_DEPTH_MAX and REQUEST_VALUES_MAX. *ret_values gets the number of JSON values in it:
 * exact where the line is JSON, else at least as many as a parser would build before it finds the fault.
 */
int scan_line(const char *line, size_t len, size_t *ret_values, struct error *err);

/* The position behind the string that begins at p (a quote); `end` if it does not end before. */
const char *scan_string(const char *p, const char *end);

#endif
