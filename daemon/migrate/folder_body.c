/*
 * What stands in a file: sections, which marks begin, or one that is the whole file.
 *
 * Marks are found line by line, as the tools find them: one inside a string counts. A file may have several sections
 * of a direction (dbmate allows it, and fails on it): the ups are taken in their order, the downs in reverse.
 */
#include "daemon/migrate/folder_internal.h"

#include <string.h>
#include <strings.h>

struct section {
	bool down;
	size_t start, end; /* bytes of the file */
	int64_t line;      /* its first */
};

struct body {
	struct pool *pool;
	enum folder_format format;
	const struct source *s;
	struct version *v;
	struct version_part before; /* directives in front of the first mark */
	struct section preamble;
	struct section *at;
	size_t n;
	struct error *err;
};

static bool blank_or_end(const char *text, size_t n) { return n == 0 || *text == ' ' || *text == '\t'; }

/* `-- migrate:up`, at the beginning of its line. */
static enum mark dbmate_mark(const struct line *l, const char *comment, size_t n, const char **ret, size_t *ret_n)
{
	static const struct {
		const char *word;
		enum mark mark;
	} marks[] = {{"migrate:up", MARK_UP}, {"migrate:down", MARK_DOWN}};

	for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++) {
		size_t w = strlen(marks[k].word);
		if (l->at[0] != '-' || n < w || memcmp(comment, marks[k].word, w) != 0 ||
		    !blank_or_end(comment + w, n - w))
			continue;
		*ret = comment + w;
		*ret_n = n - w;
		return marks[k].mark;
	}
	return MARK_NONE;
}

/* `-- +goose Up`, any case. What is between statements for goose is a comment here: SQLite's tokens tell as much. */
static enum mark goose_mark(const char *comment, size_t n, const char **ret, size_t *ret_n)
{
	static const struct {
		const char *words;
		enum mark mark;
	} marks[] = {{"Up", MARK_UP},
		     {"Down", MARK_DOWN},
		     {"NO TRANSACTION", MARK_NO_TRANSACTION},
		     {"StatementBegin", MARK_NOTHING},
		     {"StatementEnd", MARK_NOTHING},
		     {"ENVSUB OFF", MARK_NOTHING},
		     {"ENVSUB ON", MARK_ENVSUB}};
	const size_t w = strlen("+goose");

	if (n < w || memcmp(comment, "+goose", w) != 0 || !blank_or_end(comment + w, n - w))
		return MARK_NONE;
	for (comment += w, n -= w; n > 0 && blank_or_end(comment, n); n--)
		comment++;
	*ret = comment;
	*ret_n = n;
	for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++)
		if (n == strlen(marks[k].words) && strncasecmp(comment, marks[k].words, n) == 0)
			return marks[k].mark;
	return MARK_UNKNOWN;
}

/* `-- UP --` */
static enum mark sqflite_mark(const char *comment, size_t n)
{
	const char *word, *dashes, *more;
	size_t word_n, dashes_n, more_n;

	if (!word_next(&comment, &n, &word, &word_n) || !word_next(&comment, &n, &dashes, &dashes_n) ||
	    !word_is(dashes, dashes_n, "--") || word_next(&comment, &n, &more, &more_n))
		return MARK_NONE;
	return word_is(word, word_n, "UP") ? MARK_UP : word_is(word, word_n, "DOWN") ? MARK_DOWN : MARK_NONE;
}

enum mark folder_mark(enum folder_format format, const struct line *l, const char **ret, size_t *ret_n)
{
	size_t n;
	const char *comment = line_comment(l, &n);

	*ret = NULL;
	*ret_n = 0;
	if (!comment)
		return MARK_NONE;
	if (format == FOLDER_DBMATE)
		return dbmate_mark(l, comment, n, ret, ret_n);
	if (format == FOLDER_GOOSE)
		return goose_mark(comment, n, ret, ret_n);
	return format == FOLDER_SQFLITE ? sqflite_mark(comment, n) : MARK_NONE;
}

bool folder_no_transaction(const struct source *s)
{
	static const char mark[] = "-- no-transaction";

	return s->len >= sizeof(mark) - 1 && memcmp(s->text, mark, sizeof(mark) - 1) == 0;
}

static struct version_part *part_of(struct body *b, bool down) { return down ? &b->v->down : &b->v->up; }

static void add(struct body *b, struct section section)
{
	b->at = pool_grow(b->pool, b->at, b->n, sizeof(*b->at));
	b->at[b->n++] = section;
}

static void directives_from_before(struct body *b, struct version_part *part)
{
	part->mode = b->before.mode;
	part->batch_rows = b->before.batch_rows;
	part->allow_data_loss = b->before.allow_data_loss;
}

static void begin(struct body *b, const struct line *l, bool down)
{
	struct section *last = b->n > 0 ? &b->at[b->n - 1] : &b->preamble;
	/* sqflite's may be up's without a mark. */
	struct version_part *part = part_of(b, down && b->format != FOLDER_SQFLITE);

	last->end = l->start;
	if (b->n == 0)
		directives_from_before(b, part);
	add(b, (struct section){.down = down, .start = l->next, .end = b->s->len, .line = l->number + 1});
}

/* dbmate's options. It takes no offence at one that it does not know. */
static void options(struct version_part *part, const char *text, size_t n)
{
	const char *word;
	size_t word_n;

	while (word_next(&text, &n, &word, &word_n))
		part->no_transaction = part->no_transaction || word_is(word, word_n, "transaction:false");
}

static int mark(struct body *b, const struct line *l)
{
	const char *rest;
	size_t n;
	enum mark mark = folder_mark(b->format, l, &rest, &n);

	switch (mark) {
	case MARK_UP:
	case MARK_DOWN:
		begin(b, l, mark == MARK_DOWN);
		if (b->format == FOLDER_DBMATE)
			options(part_of(b, mark == MARK_DOWN), rest, n);
		return 0;
	case MARK_NO_TRANSACTION:
		b->v->up.no_transaction = b->v->down.no_transaction = true;
		return 0;
	case MARK_ENVSUB:
		return folder_fault(b->err, b->s->name, l->number,
				    "ENVSUB ON is not taken: alterd has not the environment of who wrote the file");
	case MARK_UNKNOWN:
		return folder_fault(b->err, b->s->name, l->number, "goose has no \"%s\"",
				    folder_excerpt(b->pool, rest, n));
	case MARK_NONE:
	case MARK_NOTHING:
		break;
	}
	return 0;
}

/* Marks and directives, line by line. */
static int scan(struct body *b)
{
	struct line l = {.text = b->s->text, .len = b->s->len};

	while (line_next(&l)) {
		if (mark(b, &l) != 0)
			return -1;
		struct version_part *part = b->n == 0 ? &b->before : part_of(b, b->at[b->n - 1].down);
		if (folder_directive(b->pool, b->s, &l, part, b->err) != 0)
			return -1;
	}
	return 0;
}

/* A section's statements; an error of theirs becomes one of the file. */
static int split(struct body *b, const struct section *at, struct script *ret)
{
	struct error err = {0};

	if (script_split(b->pool, b->s->text + at->start, at->end - at->start, at->line, ret, &err) == 0)
		return 0;
	folder_fault(b->err, b->s->name, 0, "%s", err.message);
	/* Its line. */
	buf_putc(&b->err->data, ',');
	buf_add(&b->err->data, err.data.data, err.data.len);
	error_clear(&err);
	return -1;
}

/* Between two sections. Those of up are in their order: then each stays in its lines of the file. */
static void between(struct buf *text, int64_t first_line, const struct section *next)
{
	int64_t line = first_line;

	for (size_t i = 0; i < text->len; i++)
		line += text->data[i] == '\n';
	/* The file has the line of the mark there. */
	buf_puts(text, line < next->line ? ";" : "\n;\n");
	for (; line < next->line; line++)
		buf_putc(text, '\n');
}

/* All sections of a direction, as one text that would be split in the same way again. */
static int compile(struct body *b, bool down)
{
	struct version_part *part = part_of(b, down);
	struct script one;
	struct buf text = {0};

	for (size_t k = 0; k < b->n; k++) {
		const struct section *at = &b->at[down ? b->n - 1 - k : k];
		if (at->down != down)
			continue;
		if (part->present)
			between(&text, part->line, at);
		else
			part->line = at->line;
		buf_add(&text, b->s->text + at->start, at->end - at->start);
		part->present = true;
		if (split(b, at, &one) != 0) {
			buf_free(&text);
			return -1;
		}
		for (size_t i = 0; i < one.n; i++) {
			struct script *all = &part->script;
			all->at = pool_grow(b->pool, all->at, all->n, sizeof(*all->at));
			all->at[all->n++] = one.at[i];
		}
	}
	if (part->present) {
		part->text = pool_take(b->pool, &text);
		part->file = b->s->name;
	}
	return 0;
}

/* What stands in front of the first mark: of no meaning if it is no SQL, else up's if only down has a mark. */
static int preamble(struct body *b)
{
	struct script script;
	bool up = false;

	for (size_t k = 0; k < b->n; k++)
		up = up || !b->at[k].down;
	if (!up && b->format != FOLDER_SQFLITE)
		return folder_fault(b->err, b->s->name, 0, "the file has no \"%s\"",
				    b->format == FOLDER_GOOSE ? "-- +goose Up" : "-- migrate:up");
	if (!up) {
		if (b->n == 0)
			directives_from_before(b, &b->v->up);
		add(b, b->preamble);
		return 0;
	}
	if (split(b, &b->preamble, &script) != 0)
		return -1;
	if (script.n > 0)
		return folder_fault(b->err, b->s->name, script.at[0].line, "a statement in front of the first mark");
	return 0;
}

/* A file that is one section. */
static int whole(struct body *b)
{
	struct line l = {.text = b->s->text, .len = b->s->len};
	bool down = b->s->role == ROLE_DOWN;

	while (line_next(&l))
		if (folder_directive(b->pool, b->s, &l, part_of(b, down), b->err) != 0)
			return -1;
	if (b->format == FOLDER_SQLX || b->format == FOLDER_GOLANG_MIGRATE)
		part_of(b, down)->no_transaction = folder_no_transaction(b->s);
	add(b, b->preamble);
	b->at[0].down = down;
	return compile(b, down);
}

int folder_body(struct pool *pool, enum folder_format format, const struct source *s, struct version *v,
		struct error *err)
{
	struct body b = {.pool = pool, .format = format, .s = s, .v = v, .err = err};

	b.preamble = (struct section){.end = s->len, .line = 1};
	if (s->role != ROLE_BOTH)
		return whole(&b);
	if (scan(&b) != 0 || preamble(&b) != 0)
		return -1;
	return compile(&b, false) != 0 || compile(&b, true) != 0 ? -1 : 0;
}
