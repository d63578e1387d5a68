/*
 * Reading alterd.conf: lines, sections, assignments, drop-ins. Every error names the file and the line, and a name that
 * is not known is answered with the one that was probably meant.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/setting.h"
#include "daemon/lib/check.h"

/* A configuration is a few kilobytes; a file of this size is something else. */
#define FILE_MAX_BYTES (1024 * 1024)
#define DROP_INS_MAX 256

struct place {
	const char *file; /* NULL: --set, which has no lines */
	int line;
};

struct span {
	const char *at;
	size_t n;
};

static struct span trim(struct span s)
{
	while (s.n > 0 && (s.at[0] == ' ' || s.at[0] == '\t' || s.at[0] == '\r')) {
		s.at++;
		s.n--;
	}
	while (s.n > 0 && (s.at[s.n - 1] == ' ' || s.at[s.n - 1] == '\t' || s.at[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static int fail(struct error *err, struct place place, const char *text)
{
	if (!place.file)
		return error_set(err, ERRC_INVALID_PARAMS, "--set: %s", text);
	return error_set(err, ERRC_INVALID_PARAMS, "%s:%d: %s", place.file, place.line, text);
}

/* For messages: a name as it was written, cut, without what would break the line. */
static void quote(struct span s, char *out, size_t size)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s.at[i] < 0x20 || (unsigned char)s.at[i] >= 0x7f ? '?' : s.at[i];
	out[n] = '\0';
}

static int unknown_key(struct span section, struct span key, struct place place, struct error *err)
{
	const struct setting *near = setting_suggest(section.at, section.n, key.at, key.n);
	char section_name[SETTING_NAME_MAX], key_name[SETTING_NAME_MAX], text[320];

	quote(section, section_name, sizeof(section_name));
	quote(key, key_name, sizeof(key_name));
	if (near)
		(void)snprintf(text, sizeof(text), "unknown key %s.%s (did you mean %s.%s?)", section_name, key_name,
			       near->section, near->key);
	else
		(void)snprintf(text, sizeof(text), "unknown key %s.%s", section_name, key_name);
	return fail(err, place, text);
}

static bool is_access(struct span section) { return section.n == 6 && memcmp(section.at, "access", 6) == 0; }

/* The keys of [access] are names of users and groups. */
static int assign_access(struct config *c, struct span key, struct span value, struct place place, struct error *err)
{
	char why[256], name[SETTING_NAME_MAX], text[384];

	if (access_add(&c->access, key.at, key.n, value.at, value.n, (struct access_place){place.file, place.line}, why,
		       sizeof(why)) == 0)
		return 0;
	quote(key, name, sizeof(name));
	(void)snprintf(text, sizeof(text), "access.%s: %s", name, why);
	return fail(err, place, text);
}

static int assign(struct config *c, struct span section, struct span key, struct span value, struct place place,
		  struct error *err)
{
	const struct setting *s = setting_find(section.at, section.n, key.at, key.n);
	char why[256], text[384];

	if (is_access(section))
		return assign_access(c, key, value, place, err);
	if (!s)
		return unknown_key(section, key, place, err);
	if (setting_assign(c, s, value.at, value.n, why, sizeof(why)) == 0) {
		setting_came_from(c, s, place.file, place.line);
		return 0;
	}
	(void)snprintf(text, sizeof(text), "%s.%s: %s", s->section, s->key, why);
	return fail(err, place, text);
}

/* "[name]"; *ret is the static name from the table. */
static int read_section(struct span line, struct place place, struct span *ret, struct error *err)
{
	struct span name = trim((struct span){line.at + 1, line.n - 1});
	char text[128], quoted[SETTING_NAME_MAX];

	if (name.n == 0 || name.at[name.n - 1] != ']')
		return fail(err, place, "a section is written [name], on a line of its own");
	name.n--;
	name = trim(name);
	if (is_access(name)) {
		*ret = name;
		return 0;
	}
	for (size_t i = 0; i < settings_count; i++) {
		const char *known = settings[i].section;
		if (strlen(known) == name.n && memcmp(known, name.at, name.n) == 0) {
			*ret = name;
			return 0;
		}
	}
	quote(name, quoted, sizeof(quoted));
	(void)snprintf(text, sizeof(text), "unknown section [%s]", quoted);
	return fail(err, place, text);
}

static int read_line(struct config *c, struct span line, struct span *section, struct place place, struct error *err)
{
	line = trim(line);
	if (line.n == 0 || line.at[0] == '#' || line.at[0] == ';')
		return 0;
	if (line.at[0] == '[')
		return read_section(line, place, section, err);
	const char *equals = memchr(line.at, '=', line.n);
	if (!equals)
		return fail(err, place, "a line is a [section], key = value, or a comment after # or ;");
	struct span key = trim((struct span){line.at, (size_t)(equals - line.at)});
	struct span value = {equals + 1, line.n - (size_t)(equals - line.at) - 1};
	if (key.n == 0)
		return fail(err, place, "there is no key before the =");
	if (!section->at)
		return fail(err, place, "a key stands before the first [section]");
	return assign(c, *section, key, value, place, err);
}

int config_read_text(struct config *c, const char *name, const char *text, size_t n, struct error *err)
{
	struct span section = {0};
	struct span rest = {text, n};

	access_begin_file(&c->access);
	for (int line = 1; rest.n > 0; line++) {
		const char *newline = memchr(rest.at, '\n', rest.n);
		struct span span = {rest.at, newline ? (size_t)(newline - rest.at) : rest.n};
		if (read_line(c, span, &section, (struct place){name, line}, err) != 0)
			return -1;
		size_t eaten = newline ? span.n + 1 : span.n;
		rest.at += eaten;
		rest.n -= eaten;
	}
	return 0;
}

int config_set(struct config *c, const char *assignment, struct error *err)
{
	const char *equals = strchr(assignment, '=');
	const char *dot = equals ? memchr(assignment, '.', (size_t)(equals - assignment)) : NULL;
	struct place place = {0};

	if (!dot)
		return fail(err, place, "an assignment is written section.key=value");
	struct span section = trim((struct span){assignment, (size_t)(dot - assignment)});
	struct span key = trim((struct span){dot + 1, (size_t)(equals - dot) - 1});
	return assign(c, section, key, (struct span){equals + 1, strlen(equals + 1)}, place, err);
}

/* The whole file into `out`; refused before reading when it is not a file or too big. */
static int slurp(const char *path, struct buf *out, struct error *err)
{
	struct stat st;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set(err, ERRC_INVALID_PARAMS, "%s: cannot open: %s", path, strerrordesc_np(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		error_set(err, ERRC_INVALID_PARAMS, "%s: is not a file", path);
		goto opened;
	}
	do {
		char *to = buf_reserve(out, 4096);
		got = to ? read(fd, to, 4096) : -1;
		if (got < 0) {
			error_set(err, ERRC_INVALID_PARAMS, "%s: cannot read: %s", path, strerrordesc_np(errno));
			goto opened;
		}
		out->len += (size_t)got;
		if (out->len > FILE_MAX_BYTES) {
			error_set(err, ERRC_INVALID_PARAMS, "%s: is larger than %d bytes", path, FILE_MAX_BYTES);
			goto opened;
		}
	} while (got > 0);
opened:
	close(fd);
	return error_is_set(err) ? -1 : 0;
}

static int read_one(struct config *c, const char *path, struct error *err)
{
	struct buf text = {0};
	int result = slurp(path, &text, err);

	if (result == 0)
		result = config_read_text(c, path, text.data, text.len, err);
	buf_free(&text);
	return result;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);
	return entry->d_name[0] != '.' && n > strlen(".conf") &&
	       strcmp(entry->d_name + n - strlen(".conf"), ".conf") == 0;
}

/* By bytes, not by locale: the order must not depend on who starts the daemon. */
static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int read_drop_ins(struct config *c, const char *folder, struct error *err)
{
	struct dirent **entries = NULL;
	struct buf path = {0};
	int result = 0, count = scandir(folder, &entries, is_drop_in, by_name);

	if (count < 0)
		return errno == ENOENT ? 0
				       : error_set(err, ERRC_INVALID_PARAMS, "%s: cannot list: %s", folder,
						   strerrordesc_np(errno));
	if (count > DROP_INS_MAX)
		result = error_set(err, ERRC_INVALID_PARAMS, "%s: holds more than %d files", folder, DROP_INS_MAX);
	for (int i = 0; i < count && result == 0; i++) {
		buf_reset(&path, SIZE_MAX);
		buf_printf(&path, "%s/%s", folder, entries[i]->d_name);
		result = read_one(c, buf_cstr(&path), err);
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	buf_free(&path);
	return result;
}

int config_read_file(struct config *c, const char *path, struct error *err)
{
	struct buf folder = {0};
	int result = read_one(c, path, err);

	if (result == 0) {
		buf_printf(&folder, "%s.d", path);
		CHECK(!folder.failed);
		result = read_drop_ins(c, buf_cstr(&folder), err);
	}
	buf_free(&folder);
	return result;
}
