/*
 * Cuts a byte stream into lines. One frame per connection; not thread-safe; no I/O.
 *
 * A line ends at '\n'; a '\r' before it is dropped; empty lines are passed over. A line longer than the limit is
 * skipped to its end without being kept, and told once, so that the stream goes on behind it.
 */
#ifndef ALTERD_PROTO_FRAME_H
#define ALTERD_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buf.h"

struct frame {
	struct buf in;  /* bytes not yet handed out */
	size_t taken;   /* bytes at the front of `in` that were handed out and not yet dropped */
	size_t scanned; /* bytes from `taken` on known to hold no '\n' */
	size_t limit;   /* longest line in bytes, without its '\n' */
	bool skipping;  /* in the middle of a line that is too long (or was refused by frame_skip) */
};

enum frame_result {
	FRAME_MORE,     /* nothing whole: push more */
	FRAME_LINE,     /* *ret_line, *ret_len are set; borrowed until the next frame_push or frame_free */
	FRAME_TOO_LONG, /* a line passed the limit: answer LINE_TOO_LONG; it is being skipped */
	FRAME_NO_MEMORY /* the connection cannot go on */
};

void frame_init(struct frame *f, size_t limit);
void frame_free(struct frame *f);

/* Takes a copy of the bytes. While a too long line is skipped they are dropped, not kept. */
void frame_push(struct frame *f, const char *data, size_t n);
/* The next line, if there is one. The line is NUL-terminated in place (not counted). */
enum frame_result frame_next(struct frame *f, char **ret_line, size_t *ret_len);
/* Bytes of the half line that is being held; what a memory budget counts. */
size_t frame_held(const struct frame *f);
/* Gives up the half line being held: its bytes are dropped and the rest of it is skipped, without FRAME_TOO_LONG. */
void frame_skip(struct frame *f);
/*
 * Gives back the memory of a large line once it was handed out; lines handed out are no longer valid. Call it before
 * waiting for more input, so that an idle connection does not hold the memory of its largest line.
 */
void frame_trim(struct frame *f);

#endif
