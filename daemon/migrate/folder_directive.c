/* What alterd is told in files: `-- alterd: mode=online batch=500 allow=data-loss`, and diesel's metadata.toml. */
#include "daemon/migrate/folder_internal.h"

#include <string.h>

static bool begins(const char *text, size_t n, const char *with)
{
	return n >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* 1..FOLDER_BATCH_MAX, digits alone; 0 if it is no such. */
static int64_t rows(const char *value, size_t n)
{
	int64_t number = 0;

	for (size_t i = 0; i < n; i++) {
		if (value[i] < '0' || value[i] > '9')
			return 0;
		number = number * 10 + (value[i] - '0');
		if (number > FOLDER_BATCH_MAX)
			return 0;
	}
	return number;
}

/* Saying a thing twice is harmless, saying two things is not. */
static bool set_mode(struct version_part *part, enum version_mode mode)
{
	bool fits = part->mode == MODE_BEST || part->mode == mode;

	part->mode = mode;
	return fits;
}

static bool set_batch(struct version_part *part, int64_t batch)
{
	bool fits = part->batch_rows == 0 || part->batch_rows == batch;

	part->batch_rows = batch;
	return fits;
}

/* One key=value. */
static int pair(struct pool *pool, const struct source *s, int64_t line, const char *word, size_t n,
		struct version_part *part, struct error *err)
{
	const char *equals = memchr(word, '=', n);
	size_t key = equals ? (size_t)(equals - word) : n, len = equals ? n - key - 1 : 0;
	const char *value = equals ? equals + 1 : word + n;
	bool fits = true;

	if (word_is(word, n, "mode=online"))
		fits = set_mode(part, MODE_ONLINE);
	else if (word_is(word, n, "mode=exact"))
		fits = set_mode(part, MODE_EXACT);
	else if (word_is(word, n, "allow=data-loss"))
		part->allow_data_loss = true;
	else if (word_is(word, key, "batch") && rows(value, len) > 0)
		fits = set_batch(part, rows(value, len));
	else if (word_is(word, key, "mode") || word_is(word, key, "batch") || word_is(word, key, "allow"))
		return folder_fault(err, s->name, line,
				    "\"%s\" is not taken: mode=online or exact, batch=1 to %d, allow=data-loss",
				    folder_excerpt(pool, word, n), FOLDER_BATCH_MAX);
	else
		return folder_fault(err, s->name, line, "unknown key \"%s\": there are mode, batch and allow",
				    folder_excerpt(pool, word, key));
	if (!fits)
		return folder_fault(err, s->name, line, "\"%s\" contradicts what was said before",
				    folder_excerpt(pool, word, n));
	return 0;
}

int folder_directive(struct pool *pool, const struct source *s, const struct line *l, struct version_part *part,
		     struct error *err)
{
	size_t n, word_n;
	const char *text = line_comment(l, &n), *word;

	if (!text || !begins(text, n, "alterd:"))
		return 0;
	text += strlen("alterd:");
	n -= strlen("alterd:");
	while (word_next(&text, &n, &word, &word_n))
		if (pair(pool, s, l->number, word, word_n, part, err) != 0)
			return -1;
	return 0;
}

void folder_kept(struct pool *pool, const char *file, const char *text, struct version_part *ret)
{
	struct source s = {.name = file, .text = text, .len = strlen(text)};
	struct line l = {.text = s.text, .len = s.len};
	struct error ignored = {0};

	while (line_next(&l)) {
		(void)folder_directive(pool, &s, &l, ret, &ignored);
		error_clear(&ignored);
	}
}

/* `run_in_transaction = true`, blanks anywhere; a comment may follow. Returns false if it is anything else. */
static bool setting(const char *text, size_t n, bool *ret)
{
	const char *hash = memchr(text, '#', n);
	const char *equals = memchr(text, '=', n), *word, *more;
	size_t key_n, value_n, word_n, more_n;

	n = hash ? (size_t)(hash - text) : n;
	if (!equals || (hash && hash < equals))
		return false;
	key_n = (size_t)(equals - text);
	value_n = n - key_n - 1;
	if (!word_next(&text, &key_n, &word, &word_n) || !word_is(word, word_n, "run_in_transaction") ||
	    word_next(&text, &key_n, &more, &more_n))
		return false;
	text = equals + 1;
	if (!word_next(&text, &value_n, &word, &word_n) || word_next(&text, &value_n, &more, &more_n))
		return false;
	*ret = word_is(word, word_n, "true");
	return *ret || word_is(word, word_n, "false");
}

int folder_metadata(struct pool *pool, const struct source *s, struct version *v, struct error *err)
{
	struct line l = {.text = s->text, .len = s->len};
	bool seen = false;

	while (line_next(&l)) {
		const char *text = l.at, *word;
		size_t n = l.n, word_n;
		bool in_transaction;
		if (!word_next(&text, &n, &word, &word_n) || word[0] == '#')
			continue;
		if (!setting(l.at, l.n, &in_transaction) || seen)
			return folder_fault(err, s->name, l.number,
					    "\"%s\": there is one key, run_in_transaction = true or false, once",
					    folder_excerpt(pool, l.at, l.n));
		seen = true;
		v->up.no_transaction = v->down.no_transaction = !in_transaction;
	}
	return 0;
}
