/*
 * Lines out of bytes, against a plain reading of the rule. Input: one byte for the limit, one for the size of the
 * pieces, then the stream. Whatever the pieces, the lines and complaints are those of the whole, and no more is held
 * than the limit and one piece.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

#define EXPECT(expression)                                                                                             \
	do {                                                                                                           \
		if (!(expression))                                                                                     \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rule, read plainly: "<line>" for each, "!" for each too long. */
static void reference(const char *p, size_t n, size_t limit, struct buf *out)
{
	const char *end;
	size_t len;

	for (; n > 0; n -= len + 1, p = end + 1) {
		end = memchr(p, '\n', n);
		len = end == NULL ? n : (size_t)(end - p);
		if (len > limit) {
			buf_putc(out, '!');
		} else if (end != NULL) {
			size_t keep = len > 0 && p[len - 1] == '\r' ? len - 1 : len;

			if (keep > 0) {
				buf_putc(out, '<');
				buf_add(out, p, keep);
				buf_putc(out, '>');
			}
		}
		if (end == NULL)
			return;
	}
}

static void drain(struct frame *f, struct buf *out)
{
	enum frame_result result;
	char *line = NULL;
	size_t n = 0;

	while ((result = frame_next(f, &line, &n)) != FRAME_MORE) {
		EXPECT(result != FRAME_NO_MEMORY);
		if (result == FRAME_TOO_LONG) {
			buf_putc(out, '!');
			continue;
		}
		EXPECT(n > 0 && n <= f->limit && line[n] == '\0' && memchr(line, '\n', n) == NULL);
		buf_putc(out, '<');
		buf_add(out, line, n);
		buf_putc(out, '>');
	}
	EXPECT(frame_held(f) <= f->limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf want = {0}, got = {0};
	struct frame f;
	size_t piece, at, n;

	if (size < 2)
		return 0;
	frame_init(&f, data[0]);
	piece = data[1] % 17 + 1U;
	for (at = 2; at < size; at += n) {
		n = piece < size - at ? piece : size - at;
		frame_push(&f, (const char *)data + at, n);
		drain(&f, &got);
		if (data[1] & 0x80)
			frame_trim(&f);
	}
	reference((const char *)data + 2, size - 2, data[0], &want);
	EXPECT(want.len == got.len && (want.len == 0 || memcmp(want.data, got.data, want.len) == 0));
	frame_skip(&f);
	EXPECT(frame_held(&f) == 0);
	frame_free(&f);
	buf_free(&want);
	buf_free(&got);
	return 0;
}
