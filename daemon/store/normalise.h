/*
 * A statement's text without its values: what statistics are kept by, and what may be logged.
 *
 * Literals become `?`, blanks and comments go, lists of values and repeated groups of them become `...`, so that one
 * statement of a program is one text whatever it is called with. Parameters and names stay.
 */
#ifndef ALTERD_STORE_NORMALISE_H
#define ALTERD_STORE_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buf.h"

/* Bytes of a text that are looked at; two texts that differ behind that are one. */
#define NORMALISE_BYTES_MAX 16384

/* Appends. `strings`: "x" is a string, not a name (SQLite takes it for one where there is no such name). Any thread. */
void sql_normalise(const char *sql, size_t n, bool strings, struct buf *out);

#endif
