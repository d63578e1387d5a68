/*
 * Lines out of bytes. `in` holds [0, taken) handed out and still borrowed, [taken, taken + scanned) known to hold no
 * '\n', and the rest not looked at yet. Only frame_push() moves memory, which is what makes the lines stay valid.
 */
#include "proto/frame.h"

#include <string.h>

/* Memory kept between lines; a connection that once sent a large line does not hold on to it. */
#define FRAME_KEEP_BYTES ((size_t)64 << 10)

void frame_init(struct frame *f, size_t limit) { *f = (struct frame){.limit = limit}; }

void frame_free(struct frame *f)
{
	buf_free(&f->in);
	*f = (struct frame){.limit = f->limit};
}

void frame_push(struct frame *f, const char *data, size_t n)
{
	const char *end;

	if (f->taken == f->in.len && !f->in.failed)
		buf_reset(&f->in, FRAME_KEEP_BYTES);
	else
		buf_consume(&f->in, f->taken);
	f->taken = 0;
	if (f->skipping) {
		end = n == 0 ? NULL : memchr(data, '\n', n);
		if (end == NULL)
			return;
		f->skipping = false;
		n -= (size_t)(end + 1 - data);
		data = end + 1;
	}
	buf_add(&f->in, data, n);
}

enum frame_result frame_next(struct frame *f, char **ret_line, size_t *ret_len)
{
	char *line, *end;
	size_t have, len;

	if (f->in.failed)
		return FRAME_NO_MEMORY;
	for (;;) {
		have = f->in.len - f->taken;
		if (have == f->scanned)
			end = NULL;
		else
			end = memchr(f->in.data + f->taken + f->scanned, '\n', have - f->scanned);
		if (end == NULL)
			break;
		line = f->in.data + f->taken;
		len = (size_t)(end - line);
		f->taken += len + 1;
		f->scanned = 0;
		if (len > f->limit)
			return FRAME_TOO_LONG;
		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (len == 0)
			continue;
		line[len] = '\0';
		*ret_line = line;
		*ret_len = len;
		return FRAME_LINE;
	}
	f->scanned = have;
	if (have <= f->limit)
		return FRAME_MORE;
	frame_skip(f);
	return FRAME_TOO_LONG;
}

size_t frame_held(const struct frame *f) { return f->in.len - f->taken; }

void frame_skip(struct frame *f)
{
	size_t have = f->in.len - f->taken;
	const char *last = have == 0 ? NULL : memrchr(f->in.data + f->taken, '\n', have);
	size_t whole = last == NULL ? 0 : (size_t)(last + 1 - (f->in.data + f->taken));

	if (whole == have)
		return;
	buf_truncate(&f->in, f->taken + whole);
	f->scanned = f->scanned < whole ? f->scanned : whole;
	f->skipping = true;
}

void frame_trim(struct frame *f)
{
	if (f->taken == f->in.len && !f->in.failed) {
		buf_reset(&f->in, FRAME_KEEP_BYTES);
		f->taken = 0;
	}
}
