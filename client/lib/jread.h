/*
 * Reading JSON text where it lies (jr_: the counterpart of the jw_ writers): no tree, no allocation, one pass.
 *
 * The text is NUL-terminated and belongs to the caller. Functions take a place in it and return the place behind what
 * they read, or NULL where the text is not JSON. The reader accepts a little more than JSON (it passes over values
 * without looking at the order of commas): the daemon at the other end is trusted to write JSON, but no text may make
 * the library read beyond its end.
 */
#ifndef ALTERD_CLIENT_JREAD_H
#define ALTERD_CLIENT_JREAD_H

#include <stddef.h>
#include <stdint.h>

#include "client/alterd.h"

char *jr_space(char *p);

/* Passes over one value of any kind. */
char *jr_skip(char *p);

/*
 * Walks an object or array: `p` is behind the opening bracket or behind the value before. Returns where the next member
 * begins, with *ret_end 0; or the place behind the closing bracket with *ret_end 1.
 */
char *jr_next(char *p, char close, int *ret_end);

/* A member's key: *ret_key, *ret_n are its bytes as written (escapes are not resolved). Returns where its value begins.
 */
char *jr_key(char *p, const char **ret_key, size_t *ret_n);

/* Where the value of a member begins; NULL if `object` is no object or has no such member. */
char *jr_member(char *object, const char *key);

/* Decodes the string that begins at `p` in place and puts a NUL behind it. The text before it stays as it was. */
char *jr_string(char *p, char **ret, size_t *ret_n);

/* An integer without fraction; NULL if it is none or does not fit. */
char *jr_int(char *p, int64_t *ret);

/* A value of a row or an escape of one, decoded in place. */
char *jr_value(char *p, struct alterd_value *ret);

#endif
