/*
 * SQLite's result codes at the border: names, and errors made from them.
 */
#ifndef ALTERD_STORE_CODES_H
#define ALTERD_STORE_CODES_H

#include "daemon/store/job.h"
#include "proto/error.h"

/* Name of an SQLite result code: "SQLITE_CONSTRAINT_UNIQUE". Static. */
const char *sqlite_code_name(int code);

/* An error from SQLite's extended code and message; offset < 0: unknown. `doing` may be NULL. Returns -1. */
int error_from_sqlite(struct error *err, int code, int offset, const char *doing, const char *message);

/* SQLITE_INTERRUPT with its reason in data. Returns -1. */
int error_stopped(struct error *err, enum stop_reason why);
const char *stop_reason_word(enum stop_reason why);

#endif
