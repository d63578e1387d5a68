/*
 * Inside of config/: one row of the settings table at run time, and the two directions of a value (text <-> number).
 */
#ifndef ALTERD_CONFIG_SETTING_H
#define ALTERD_CONFIG_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* Longest value in bytes; a path of PATH_MAX fits. */
#define SETTING_VALUE_MAX 4096
/* Longest "section" or "key" that is looked up; longer ones are unknown without looking. */
#define SETTING_NAME_MAX 64

enum setting_type {
	SETTING_STRING,
	SETTING_INT,
	SETTING_BYTES,
	SETTING_MS,
	SETTING_PERCENT,
	SETTING_BOOL,
	SETTING_MODE,
};

struct setting {
	const char *section, *key;
	const char *def; /* as alterd.conf would say it */
	size_t offset;   /* of the field in struct config: char * for SETTING_STRING, else int64_t */
	enum setting_type type;
	bool reload; /* SIGHUP can take it */
	int64_t least, greatest;
};

extern const struct setting settings[];
extern const size_t settings_count;

/* NULL if there is none. The names need no NUL. */
const struct setting *setting_find(const char *section, size_t section_len, const char *key, size_t key_len);
/* The setting whose "section.key" is nearest to this one, NULL if none is near. */
const struct setting *setting_suggest(const char *section, size_t section_len, const char *key, size_t key_len);

static inline char **setting_string(struct config *c, const struct setting *s)
{
	return (char **)(void *)((char *)c + s->offset);
}

static inline int64_t *setting_number(struct config *c, const struct setting *s)
{
	return (int64_t *)(void *)((char *)c + s->offset);
}

/*
 * Puts the value into `c`; the text needs no NUL, blanks around it are trimmed. On failure `why` says what is wrong
 * with it, and `c` is as it was.
 */
int setting_assign(struct config *c, const struct setting *s, const char *text, size_t n, char *why, size_t why_size);
/* Notes where the value in `c` came from; file NULL: --set. */
void setting_came_from(struct config *c, const struct setting *s, const char *file, int line);
/* The value as alterd.conf would say it; reading it back gives the same value. */
void setting_format(const struct config *c, const struct setting *s, struct buf *out);
bool setting_equal(const struct config *a, const struct config *b, const struct setting *s);

#endif
