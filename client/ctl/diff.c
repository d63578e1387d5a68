/* Two texts, line by line: what of the first goes and what of the second comes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"

/* Cells of the table in which the longest common part is found; above it all lines between are taken for others. */
#define CELLS_MAX 4000000
#define CONTEXT 2

struct line {
	const char *p;
	size_t n;
};

struct text {
	struct line *at;
	size_t n;
};

struct diff {
	struct text a, b;
	size_t before, after; /* lines that both begin and end with */
	uint32_t *common;     /* of what is left from line i of a, line k of b on; NULL: too large */
	struct buf *out;
	size_t shown, most, left_off;
};

static void split(const char *p, struct text *t)
{
	while (*p) {
		const char *end = strchrnul(p, '\n');
		size_t n = (size_t)(end - p);
		t->at = must(realloc(t->at, (t->n + 1) * sizeof(*t->at)));
		t->at[t->n++] = (struct line){p, n > 0 && p[n - 1] == '\r' ? n - 1 : n};
		p = *end ? end + 1 : end;
	}
}

static bool same(const struct diff *d, size_t i, size_t k)
{
	const struct line *x = &d->a.at[i], *y = &d->b.at[k];

	return x->n == y->n && memcmp(x->p, y->p, x->n) == 0;
}

static void show(struct diff *d, char mark, const struct line *l)
{
	if (d->shown == d->most) {
		d->left_off++;
		return;
	}
	d->shown++;
	buf_putc(d->out, mark);
	text_safe(d->out, l->p, l->n);
	buf_putc(d->out, '\n');
}

static void strip(struct diff *d)
{
	size_t least = d->a.n < d->b.n ? d->a.n : d->b.n;

	while (d->before < least && same(d, d->before, d->before))
		d->before++;
	while (d->after < least - d->before && same(d, d->a.n - 1 - d->after, d->b.n - 1 - d->after))
		d->after++;
}

/* Lengths of the longest common part, from the ends on. */
static void fill(struct diff *d, size_t n, size_t m)
{
	if ((n + 1) * (m + 1) > CELLS_MAX)
		return;
	d->common = must(calloc((n + 1) * (m + 1), sizeof(*d->common)));
	for (size_t i = n; i-- > 0;) {
		for (size_t k = m; k-- > 0;) {
			uint32_t *at = &d->common[i * (m + 1) + k];
			uint32_t down = at[m + 1], right = at[1];
			*at = same(d, d->before + i, d->before + k) ? at[m + 2] + 1 : down > right ? down : right;
		}
	}
}

static void walk(struct diff *d, size_t n, size_t m)
{
	const struct line *a = d->a.at + d->before, *b = d->b.at + d->before;
	size_t i = 0, k = 0, kept = 0;

	while (i < n || k < m) {
		const uint32_t *at = d->common ? &d->common[i * (m + 1) + k] : NULL;
		if (at && i < n && k < m && same(d, d->before + i, d->before + k)) {
			/* Of what stays between two changes a few lines tell where one is. */
			if (kept++ < CONTEXT)
				show(d, ' ', &a[i]);
			i++;
			k++;
			continue;
		}
		if (kept > CONTEXT)
			buf_puts(d->out, "...\n");
		kept = 0;
		if (i < n && (k == m || !at || at[m + 1] >= at[1]))
			show(d, '-', &a[i++]);
		else
			show(d, '+', &b[k++]);
	}
}

void diff_lines(const char *a, const char *b, size_t most, struct buf *out)
{
	struct diff d = {.out = out, .most = most};

	split(a, &d.a);
	split(b, &d.b);
	strip(&d);
	size_t n = d.a.n - d.before - d.after, m = d.b.n - d.before - d.after;
	if (n > 0 || m > 0) {
		buf_printf(out, "@@ line %zu @@\n", d.before + 1);
		fill(&d, n, m);
		for (size_t i = d.before > CONTEXT ? d.before - CONTEXT : 0; i < d.before; i++)
			show(&d, ' ', &d.a.at[i]);
		walk(&d, n, m);
		for (size_t i = 0; i < d.after && i < CONTEXT; i++)
			show(&d, ' ', &d.a.at[d.a.n - d.after + i]);
		if (d.left_off)
			buf_printf(out, "and %zu more lines\n", d.left_off);
	}
	free(d.common);
	free(d.a.at);
	free(d.b.at);
}
