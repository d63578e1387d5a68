/*
 * The settings table at run time: made from settings.h, so that a key exists in one place only. Finding a key, and
 * finding the one that was probably meant.
 */
#include "config/setting.h"

#include <string.h>

const struct setting settings[] = {
#define X(section_, key_, field, type_, def_, reload_, least_, greatest_)                                              \
	{                                                                                                              \
		.section = #section_,                                                                                  \
		.key = #key_,                                                                                          \
		.def = def_,                                                                                           \
		.offset = offsetof(struct config, field),                                                              \
		.type = SETTING_##type_,                                                                               \
		.reload = reload_,                                                                                     \
		.least = INT64_C(least_),                                                                              \
		.greatest = INT64_C(greatest_),                                                                        \
	},
	SETTINGS_MAP(X)
#undef X
};
const size_t settings_count = sizeof(settings) / sizeof(settings[0]);

static bool same(const char *name, const char *text, size_t n)
{
	return strlen(name) == n && memcmp(name, text, n) == 0;
}

const struct setting *setting_find(const char *section, size_t section_len, const char *key, size_t key_len)
{
	for (size_t i = 0; i < settings_count; i++) {
		if (same(settings[i].section, section, section_len) && same(settings[i].key, key, key_len))
			return &settings[i];
	}
	return NULL;
}

static size_t least_of(size_t a, size_t b) { return a < b ? a : b; }

/* How many letters to add, take away or change to get from one to the other (Levenshtein). Both at most NAME_MAX. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[SETTING_NAME_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; i < a_len; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t changed = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = least_of(changed, least_of(row[j], row[j + 1]) + 1);
		}
	}
	return row[b_len];
}

const struct setting *setting_suggest(const char *section, size_t section_len, const char *key, size_t key_len)
{
	const struct setting *best = NULL;
	size_t best_distance = SIZE_MAX;

	if (section_len > SETTING_NAME_MAX || key_len > SETTING_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		size_t in_key = distance(s->key, strlen(s->key), key, key_len);
		/* The right key under a wrong section is a slip of one kind only, however far apart the names are. */
		size_t in_section = same(s->section, section, section_len) ? 0 : 1;
		/* A third of the letters wrong is no slip any more. */
		if (in_key > (strlen(s->key) + 2) / 3 || (in_section > 0 && in_key > 1))
			continue;
		if (in_key * 2 + in_section < best_distance) {
			best_distance = in_key * 2 + in_section;
			best = s;
		}
	}
	return best;
}
