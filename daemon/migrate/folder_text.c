/* Lines and words of a migration file, and what its errors look like. */
#include "daemon/migrate/folder_internal.h"

#include <stdarg.h>
#include <string.h>

#define EXCERPT_BYTES 60

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f'; }

int folder_fault(struct error *err, const char *file, int64_t line, const char *format, ...)
{
	struct buf text = {0};
	va_list args;

	buf_puts(&text, file);
	if (line > 0)
		buf_printf(&text, ": line %lld", (long long)line);
	buf_puts(&text, ": ");
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	error_set(err, ERRC_MIGRATION_INVALID, "%s", buf_cstr(&text));
	buf_free(&text);
	error_add_str(err, "file", file);
	if (line > 0)
		error_add_int(err, "line", line);
	return -1;
}

const char *folder_excerpt(struct pool *pool, const char *text, size_t n)
{
	char *copy = pool_dup(pool, text, n < EXCERPT_BYTES ? n : EXCERPT_BYTES);

	for (size_t i = 0; i < n && i < EXCERPT_BYTES; i++)
		if (copy[i] < ' ' || copy[i] > '~')
			copy[i] = '?';
	return copy;
}

bool line_next(struct line *l)
{
	if (l->next >= l->len)
		return false;
	l->start = l->next;
	l->at = l->text + l->start;
	const char *end = memchr(l->at, '\n', l->len - l->start);
	l->n = end ? (size_t)(end - l->at) : l->len - l->start;
	l->next = l->start + l->n + (end != NULL);
	if (l->n > 0 && l->at[l->n - 1] == '\r')
		l->n--;
	l->number++;
	return true;
}

const char *line_comment(const struct line *l, size_t *ret_n)
{
	const char *at = l->at, *end = l->at + l->n;

	while (at < end && blank(*at))
		at++;
	if (end - at < 2 || at[0] != '-' || at[1] != '-')
		return NULL;
	for (at += 2; at < end && blank(*at);)
		at++;
	while (at < end && blank(end[-1]))
		end--;
	*ret_n = (size_t)(end - at);
	return at;
}

bool word_next(const char **text, size_t *n, const char **ret_word, size_t *ret_n)
{
	const char *at = *text, *end = at + *n;

	while (at < end && blank(*at))
		at++;
	*ret_word = at;
	while (at < end && !blank(*at))
		at++;
	*ret_n = (size_t)(at - *ret_word);
	*n = (size_t)(end - at);
	*text = at;
	return *ret_n > 0;
}

bool word_is(const char *word, size_t n, const char *text) { return strlen(text) == n && memcmp(word, text, n) == 0; }
