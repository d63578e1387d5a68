/* The modes by name, and rows handed to the one that is chosen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/shell.h"

/* A cell of a grid goes on in another line behind so many columns, unless .mode says otherwise. */
#define WRAP_COLUMNS 60

static const char *const mode_names[MODES] = {
	[MODE_LIST] = "list",         [MODE_TABLE] = "table", [MODE_BOX] = "box",       [MODE_COLUMN] = "column",
	[MODE_MARKDOWN] = "markdown", [MODE_CSV] = "csv",     [MODE_TABS] = "tabs",     [MODE_JSON] = "json",
	[MODE_JSONL] = "jsonl",       [MODE_LINE] = "line",   [MODE_INSERT] = "insert", [MODE_QUOTE] = "quote",
	[MODE_HTML] = "html",         [MODE_TCL] = "tcl",     [MODE_ASCII] = "ascii",
};

const char *render_mode_name(enum render_mode mode) { return mode < MODES ? mode_names[mode] : NULL; }

enum render_mode render_mode_find(const char *name)
{
	/* sqlite3 takes both. */
	if (strcmp(name, "lines") == 0)
		return MODE_LINE;
	if (strcmp(name, "columns") == 0)
		return MODE_COLUMN;
	for (int m = 0; m < MODES; m++)
		if (strcmp(mode_names[m], name) == 0)
			return (enum render_mode)m;
	return MODES;
}

bool render_is_grid(enum render_mode mode)
{
	return mode == MODE_TABLE || mode == MODE_BOX || mode == MODE_COLUMN || mode == MODE_MARKDOWN;
}

void render_set_mode(struct render_look *look, enum render_mode mode)
{
	static const struct {
		const char *column, *row;
	} ends[MODES] = {
		[MODE_LIST] = {"|", "\n"},       [MODE_CSV] = {",", "\r\n"},   [MODE_TABS] = {"\t", NULL},
		[MODE_LINE] = {NULL, "\n"},      [MODE_QUOTE] = {",", "\n"},   [MODE_TCL] = {" ", "\n"},
		[MODE_ASCII] = {"\x1f", "\x1e"}, [MODE_COLUMN] = {NULL, "\n"},
	};

	look->mode = mode;
	if (ends[mode].column)
		snprintf(look->column_end, sizeof(look->column_end), "%s", ends[mode].column);
	if (ends[mode].row)
		snprintf(look->row_end, sizeof(look->row_end), "%s", ends[mode].row);
	if (mode == MODE_COLUMN && !look->headers_set)
		look->headers = true;
	look->wrap = render_is_grid(mode) ? WRAP_COLUMNS : 0;
	look->quote = false;
}

struct render *render_new(const struct render_look *look, struct sink *out, const char *const *names, int n)
{
	struct render *r = must(calloc(1, sizeof(*r)));

	*r = (struct render){.look = look, .out = out, .names = names, .n = n, .name_width = 5};
	for (int i = 0; i < n; i++) {
		int width = out->tty ? text_width(names[i], strlen(names[i])) : (int)strlen(names[i]);

		if (width > r->name_width)
			r->name_width = width;
	}
	if (render_is_grid(look->mode))
		r->grid = grid_new(r);
	return r;
}

bool render_row(struct render *r, const struct alterd_value *row)
{
	if (r->grid)
		grid_row(r, row);
	else
		rows_row(r, row);
	return sink_offer(r->out);
}

void render_end(struct render *r)
{
	if (r->grid)
		grid_end(r);
	else
		rows_end(r);
	sink_offer(r->out);
	free(r);
}
