/* File names: the version in front, the name behind it, and what the file is for. One function a form of name. */
#include "daemon/migrate/folder_internal.h"

#include <stdint.h>
#include <string.h>

#define SEPARATORS "_-. "

static bool digit(char c) { return c >= '0' && c <= '9'; }
static size_t digits(const char *s) { return strspn(s, "0123456789"); }

bool folder_name_ends(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);

	return n >= e && memcmp(name + n - e, end, e) == 0;
}

bool folder_name_has_version(const char *name) { return digit(name[0]); }

bool folder_name_is_go(const char *name)
{
	return folder_name_has_version(name) && folder_name_ends(name, ".go") && !folder_name_ends(name, "_test.go");
}

bool folder_name_is_pair(const char *name)
{
	return digit(name[name[0] == 'V' || name[0] == 'v']) &&
	       (folder_name_ends(name, ".up.sql") || folder_name_ends(name, ".down.sql"));
}

/* The number of the digits among n bytes: nothing is cut off one that does not fit. */
static int take_number(struct source *s, const char *from, size_t n, struct error *err)
{
	int64_t number = 0;

	for (size_t i = 0; i < n; i++) {
		if (!digit(from[i]))
			continue;
		int d = from[i] - '0';
		if (number > (INT64_MAX - d) / 10)
			return folder_fault(err, s->name, 0, "the version is larger than %lld", (long long)INT64_MAX);
		number = number * 10 + d;
	}
	if (number == 0)
		return folder_fault(err, s->name, 0, "version 0: versions begin with 1");
	s->number = number;
	return 0;
}

/* The rest of the name: what stands between the version and the last `end` bytes, without separators in front. */
static void take_title(struct pool *pool, struct source *s, const char *from, const char *end)
{
	while (from < end && strchr(SEPARATORS, *from) != NULL)
		from++;
	s->title = from < end ? pool_dup(pool, from, (size_t)(end - from)) : "";
}

static int no_version(const struct source *s, const char *wanted, struct error *err)
{
	return folder_fault(err, s->name, 0, "the file's name has no version: %s", wanted);
}

/* NNN_name.sql */
static int simple(struct pool *pool, struct source *s, enum source_role role, struct error *err)
{
	if (!folder_name_has_version(s->name))
		return no_version(s, "NNNN_name.sql", err);
	if (strchr(s->name, '/') != NULL)
		return folder_fault(err, s->name, 0, "only diesel has folders in its folder");
	s->role = role;
	s->digits = s->name;
	take_title(pool, s, s->name + digits(s->name), s->name + strlen(s->name) - strlen(".sql"));
	return take_number(s, s->name, digits(s->name), err);
}

/* NNN_name.up.sql, VNNN.name.down.sql */
static int pair(struct pool *pool, struct source *s, struct error *err)
{
	if (!folder_name_is_pair(s->name))
		return no_version(s, "NNNN_name.up.sql or NNNN_name.down.sql", err);
	if (strchr(s->name, '/') != NULL)
		return folder_fault(err, s->name, 0, "only diesel has folders in its folder");
	s->role = folder_name_ends(s->name, ".up.sql") ? ROLE_UP : ROLE_DOWN;
	s->digits = s->name + !digit(s->name[0]);
	take_title(pool, s, s->digits + digits(s->digits),
		   s->name + strlen(s->name) - strlen(s->role == ROLE_UP ? ".up.sql" : ".down.sql"));
	return take_number(s, s->digits, digits(s->digits), err);
}

/* V1__name.sql, U1__name.sql. With underscores or dots inside it is a version of several numbers, which ours are not.
 */
static int letter(struct pool *pool, struct source *s, enum source_role u, struct error *err)
{
	if (strncmp(s->name, "R__", 3) == 0)
		return folder_fault(err, s->name, 0, "repeatable migrations have no version and are not taken");
	if ((s->name[0] != 'V' && s->name[0] != 'U') || !digit(s->name[1]))
		return no_version(s, "V1__name.sql or U1__name.sql", err);
	s->digits = s->name + 1;
	const char *behind = s->digits + digits(s->digits);
	if ((behind[0] == '.' || behind[0] == '_') && digit(behind[1]))
		return folder_fault(err, s->name, 0, "versions of several numbers are not taken");
	if (strncmp(behind, "__", 2) != 0)
		return no_version(s, "V1__name.sql or U1__name.sql", err);
	s->role = s->name[0] == 'U' ? u : ROLE_UP;
	take_title(pool, s, behind, s->name + strlen(s->name) - strlen(".sql"));
	return take_number(s, s->digits, (size_t)(behind - s->digits), err);
}

/* The version in front of a directory's name, as diesel reads it: up to the first underscore, hyphens left out. */
static size_t diesel_version(const char *name)
{
	size_t n = digits(name);

	while (n > 0 && name[n] == '-' && digit(name[n + 1]))
		n += 1 + digits(name + n + 1);
	return n;
}

/* VERSION_name/up.sql, down.sql, metadata.toml */
static int diesel(struct pool *pool, struct source *s, struct error *err)
{
	const char *slash = strchr(s->name, '/');
	const char *file = slash ? slash + 1 : s->name;
	size_t n = diesel_version(s->name);

	s->role = !slash                               ? ROLE_NONE
		  : strcmp(file, "up.sql") == 0        ? ROLE_UP
		  : strcmp(file, "down.sql") == 0      ? ROLE_DOWN
		  : strcmp(file, "metadata.toml") == 0 ? ROLE_METADATA
						       : ROLE_NONE;
	if (s->role == ROLE_NONE && folder_name_ends(s->name, ".sql"))
		return folder_fault(err, s->name, 0, "diesel's files are VERSION_name/up.sql and down.sql");
	if (s->role == ROLE_NONE)
		return 0;
	if (n == 0)
		return no_version(s, "VERSION_name/up.sql", err);
	s->digits = s->name;
	s->place = pool_dup(pool, s->name, (size_t)(slash - s->name));
	take_title(pool, s, s->name + n, slash);
	return take_number(s, s->name, n, err);
}

int folder_name(struct pool *pool, enum folder_format format, struct source *s, struct error *err)
{
	s->role = ROLE_NONE;
	if (format == FOLDER_DIESEL)
		return diesel(pool, s, err);
	if (format == FOLDER_GOOSE && folder_name_is_go(s->name))
		return folder_fault(err, s->name, 0, "a migration written in Go cannot be run by alterd");
	if (!folder_name_ends(s->name, ".sql"))
		return 0;
	switch (format) {
	case FOLDER_GOLANG_MIGRATE:
		return pair(pool, s, err);
	case FOLDER_SQLX:
		return folder_name_is_pair(s->name) ? pair(pool, s, err) : simple(pool, s, ROLE_UP, err);
	case FOLDER_FLYWAY:
		return letter(pool, s, ROLE_DOWN, err);
	case FOLDER_REFINERY:
		return letter(pool, s, ROLE_UP, err);
	case FOLDER_DBMATE:
	case FOLDER_GOOSE:
	case FOLDER_SQFLITE:
	case FOLDER_AUTO:
	case FOLDER_DIESEL:
	case FOLDER_FORMAT_COUNT:
		break;
	}
	return simple(pool, s, ROLE_BOTH, err);
}
