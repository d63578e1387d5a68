/*
 * A value's two directions. Numbers are decimal digits and a unit, nothing else: no sign, no fraction, no exponent, so
 * that what is written is what is meant. A value that would overflow is out of range, not wrapped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/setting.h"
#include "daemon/lib/check.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* Greatest first: the dump takes the first that divides the value. */
static const struct unit byte_units[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit time_units[] = {{"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit percent_units[] = {{"%", 1}, {"", 1}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct {
	const struct unit *units;
	int base;
	const char *wanted; /* what the error asks for */
} kinds[] = {
	[SETTING_STRING] = {NULL, 0, "text"},
	[SETTING_INT] = {no_units, 10, "a whole number"},
	[SETTING_BYTES] = {byte_units, 10, "a size, such as 65536, 64KiB, 16MiB or 1GiB"},
	[SETTING_MS] = {time_units, 10, "a time with its unit, such as 500ms, 30s or 5min"},
	[SETTING_PERCENT] = {percent_units, 10, "a percentage, such as 20 or 20%"},
	[SETTING_BOOL] = {NULL, 0, "yes or no"},
	[SETTING_MODE] = {no_units, 8, "an octal file mode, such as 0660"},
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Digits in `base`, blanks, a unit. False if it does not read so. What does not fit becomes INT64_MAX. */
static bool parse_number(const char *text, size_t n, enum setting_type type, int64_t *ret)
{
	int64_t value = 0, base = kinds[type].base;
	size_t i = 0;

	for (; i < n && text[i] >= '0' && text[i] < '0' + base; i++) {
		if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, text[i] - '0', &value))
			value = INT64_MAX;
	}
	if (i == 0)
		return false;
	while (i < n && is_blank(text[i]))
		i++;
	for (const struct unit *u = kinds[type].units; u->name; u++) {
		if (strlen(u->name) != n - i || memcmp(u->name, text + i, n - i) != 0)
			continue;
		if (__builtin_mul_overflow(value, u->factor, ret))
			*ret = INT64_MAX;
		return true;
	}
	return false;
}

static bool parse_bool(const char *text, size_t n, int64_t *ret)
{
	static const char *const words[][2] = {{"no", "yes"}, {"off", "on"}, {"false", "true"}, {"0", "1"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (int value = 0; value <= 1; value++) {
			if (strlen(words[i][value]) == n && memcmp(words[i][value], text, n) == 0) {
				*ret = value;
				return true;
			}
		}
	}
	return false;
}

static void format_number(int64_t value, enum setting_type type, char *out, size_t size)
{
	const struct unit *u = kinds[type].units;

	if (type == SETTING_MODE) {
		(void)snprintf(out, size, "%04" PRIo64, (uint64_t)value);
		return;
	}
	if (type == SETTING_BOOL) {
		(void)snprintf(out, size, "%s", value ? "yes" : "no");
		return;
	}
	if (type == SETTING_PERCENT) {
		(void)snprintf(out, size, "%" PRId64, value);
		return;
	}
	/* Nothing is smallest in the smallest unit. */
	while (u[1].name && (value == 0 || value % u->factor != 0))
		u++;
	(void)snprintf(out, size, "%" PRId64 "%s", value / u->factor, u->name);
}

static int assign_number(struct config *c, const struct setting *s, const char *text, size_t n, char *why,
			 size_t why_size)
{
	char least[32], greatest[32];
	int64_t value;
	bool read = s->type == SETTING_BOOL ? parse_bool(text, n, &value) : parse_number(text, n, s->type, &value);

	if (!read) {
		(void)snprintf(why, why_size, "\"%.*s\" is not %s", (int)(n < 64 ? n : 64), text,
			       kinds[s->type].wanted);
		return -1;
	}
	if (s->type != SETTING_BOOL && (value < s->least || value > s->greatest)) {
		format_number(s->least, s->type, least, sizeof(least));
		format_number(s->greatest, s->type, greatest, sizeof(greatest));
		(void)snprintf(why, why_size, "%.*s is out of range, it must be from %s to %s", (int)(n < 64 ? n : 64),
			       text, least, greatest);
		return -1;
	}
	*setting_number(c, s) = value;
	return 0;
}

int setting_assign(struct config *c, const struct setting *s, const char *text, size_t n, char *why, size_t why_size)
{
	while (n > 0 && is_blank(text[0])) {
		text++;
		n--;
	}
	while (n > 0 && is_blank(text[n - 1]))
		n--;
	if (n > SETTING_VALUE_MAX) {
		(void)snprintf(why, why_size, "the value is longer than %d bytes", SETTING_VALUE_MAX);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			(void)snprintf(why, why_size, "the value holds a control character");
			return -1;
		}
	}
	if (s->type != SETTING_STRING)
		return assign_number(c, s, text, n, why, why_size);
	char *copy = xmalloc(n + 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	free(*setting_string(c, s));
	*setting_string(c, s) = copy;
	return 0;
}

/* The accessors hand out writable pointers; here only reading happens. */
static struct config *unconst(const struct config *c) { return (struct config *)(uintptr_t)c; }

void setting_format(const struct config *c, const struct setting *s, struct buf *out)
{
	char text[32];

	if (s->type == SETTING_STRING) {
		buf_puts(out, *setting_string(unconst(c), s));
		return;
	}
	format_number(*setting_number(unconst(c), s), s->type, text, sizeof(text));
	buf_puts(out, text);
}

bool setting_equal(const struct config *a, const struct config *b, const struct setting *s)
{
	if (s->type == SETTING_STRING)
		return strcmp(*setting_string(unconst(a), s), *setting_string(unconst(b), s)) == 0;
	return *setting_number(unconst(a), s) == *setting_number(unconst(b), s);
}
