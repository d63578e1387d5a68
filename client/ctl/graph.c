/* Figures as rows of bars, for a terminal. Pure. */
#include "client/ctl/status.h"

#define LEVELS 8

static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char ascii[LEVELS + 1] = "_.:-=+*#";

double graph_peak(const struct doc_node *numbers)
{
	double peak = 0;

	for (size_t i = 0; i < doc_count(numbers); i++) {
		double v = doc_real(doc_at(numbers, i), 0);

		peak = v > peak ? v : peak;
	}
	return peak;
}

double graph_last(const struct doc_node *numbers)
{
	size_t n = doc_count(numbers);

	return n > 0 ? doc_real(doc_at(numbers, n - 1), 0) : 0;
}

/* 0 only for nothing at all: what little there was is to be seen. */
static int level_of(double v, double peak)
{
	int level = peak > 0 ? (int)(v * LEVELS / peak) : 0;

	if (level >= LEVELS)
		level = LEVELS - 1;
	return level == 0 && v > 0 ? 1 : level;
}

void graph_row(struct buf *out, const struct doc_node *numbers, int cells, bool utf8)
{
	size_t n = doc_count(numbers), first;
	double peak = 0;

	if (cells <= 0)
		return;
	first = n > (size_t)cells ? n - (size_t)cells : 0;
	for (size_t i = first; i < n; i++) {
		double v = doc_real(doc_at(numbers, i), 0);

		peak = v > peak ? v : peak;
	}
	/* Now is at the right, from the first second on. */
	for (size_t i = n - first; i < (size_t)cells; i++)
		buf_putc(out, ' ');
	for (size_t i = first; i < n; i++) {
		int level = level_of(doc_real(doc_at(numbers, i), 0), peak);

		if (utf8)
			buf_puts(out, blocks[level]);
		else
			buf_putc(out, ascii[level]);
	}
}

void graph_bar(struct buf *out, double percent, int columns, bool utf8)
{
	int cells = columns - 2, halves = (int)(percent * cells * 2 / 100);

	if (cells < 1)
		return;
	buf_putc(out, '[');
	for (int i = 0; i < cells; i++) {
		if (!utf8)
			buf_putc(out, i < halves / 2 ? '#' : '-');
		else
			buf_puts(out, i < halves / 2 ? "█" : i == halves / 2 && halves % 2 ? "▌" : "·");
	}
	buf_putc(out, ']');
}
