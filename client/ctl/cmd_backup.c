/* backup, and with it list, fetch and delete: the daemon makes them, this side may fetch a file of its own. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"
#include "proto/value.h"

/* Asked for at a time; the daemon may give less. */
#define CHUNK_BYTES (1 << 20)

/* ---- fetching ---- */

/* A file that gets its name when it is whole. */
struct target {
	const char *path;
	struct buf part;
	int fd;
};

static int file_failed(const char *doing, const char *path)
{
	say("%s %s: %s", doing, path, strerror(errno));
	return EXIT_FAILED;
}

static int target_check(const struct ctl *c, const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0 || (has(c, FLAG_FORCE) && S_ISREG(st.st_mode)))
		return 0;
	say("%s is there already%s", path, S_ISREG(st.st_mode) ? "; -f writes over it" : "");
	return EXIT_FAILED;
}

static int target_open(struct target *t)
{
	buf_printf(&t->part, "%s.part", t->path);
	t->fd = open(buf_cstr(&t->part), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return t->fd >= 0 ? 0 : file_failed("making", buf_cstr(&t->part));
}

static int target_write(struct target *t, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t w = write(t->fd, data, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return file_failed("writing", buf_cstr(&t->part));
		data += w;
		n -= (size_t)w;
	}
	return 0;
}

static int sync_folder(const char *path)
{
	char *copy = must(strdup(path));
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = fd >= 0 && fsync(fd) == 0 ? 0 : file_failed("syncing the folder of", path);

	if (fd >= 0)
		close(fd);
	free(copy);
	return code;
}

/* `code`: what came of it so far; unless it is 0 nothing is left. */
static int target_close(struct target *t, int code)
{
	if (code == 0 && fsync(t->fd) != 0)
		code = file_failed("writing", buf_cstr(&t->part));
	if (t->fd >= 0)
		close(t->fd);
	if (code == 0 && rename(buf_cstr(&t->part), t->path) != 0)
		code = file_failed("naming", t->path);
	if (code == 0)
		code = sync_folder(t->path);
	else if (t->fd >= 0)
		(void)unlink(buf_cstr(&t->part));
	buf_free(&t->part);
	return code;
}

/* A call whose answer is read here whatever --json says. */
static int ask(struct ctl *c, const char *method, const char *params, struct doc **ret)
{
	struct error err = {0};
	const char *text;
	int code = ctl_connect(c);

	*ret = NULL;
	if (code)
		return code;
	patience_begin(c);
	int failed = alterd_call(c->conn, method, params, &text);
	patience_end();
	if (failed)
		return ctl_failed(c, c->conn);
	if (doc_parse(text, strlen(text), ret, &err) == 0)
		return 0;
	say("the daemon's answer cannot be read: %s", err.message);
	error_clear(&err);
	return EXIT_FAILED;
}

/* One chunk from `offset` on; *ret_got is what came, *ret_total the size of it all. */
static int fetch_chunk(struct ctl *c, const char *name, int64_t offset, struct target *t, int64_t *ret_got,
		       int64_t *ret_total)
{
	struct buf params = {0};
	struct doc *d = NULL;

	jw_open(&params, '{');
	jw_str(&params, "name", name);
	jw_int(&params, "offset", offset);
	jw_int(&params, "size", CHUNK_BYTES);
	jw_close(&params, '}');
	int code = ask(c, "backup.read", buf_cstr(&params), &d);
	if (code == 0) {
		const struct doc_node *data = doc_get(doc_root(d), "data");
		char *bytes = must(malloc(doc_strlen(data) + 1));
		long n = base64_decode(doc_str(data, ""), doc_strlen(data), bytes);

		*ret_total = doc_int(doc_get(doc_root(d), "total"), -1);
		*ret_got = n;
		if (n < 0 || *ret_total < 0 || (n == 0 && offset < *ret_total)) {
			say("the daemon's answer cannot be read");
			code = EXIT_FAILED;
		} else {
			code = target_write(t, bytes, (size_t)n);
		}
		free(bytes);
	}
	doc_free(d);
	buf_free(&params);
	return code;
}

static int fetch(struct ctl *c, const char *name, const char *path, int64_t *ret_bytes)
{
	struct target t = {.path = path, .fd = -1};
	int64_t offset = 0, total = 0, got = 0;
	int code = target_open(&t);

	do {
		if (code == 0)
			code = fetch_chunk(c, name, offset, &t, &got, &total);
		offset += got;
	} while (code == 0 && offset < total);
	*ret_bytes = offset;
	return target_close(&t, code);
}

/* ---- the commands ---- */

static int with_name(struct ctl *c, const char *method, const char *name, struct doc **ret)
{
	struct buf params = {0};

	jw_open(&params, '{');
	jw_str(&params, "name", name);
	jw_close(&params, '}');
	int code = ask(c, method, buf_cstr(&params), ret);
	buf_free(&params);
	return code;
}

static void tell(const struct ctl *c, const char *file, int64_t bytes, const struct doc_node *made)
{
	struct buf out = {0};
	const char *path = file ? file : doc_str(doc_get(made, "path"), "?");

	if (has(c, FLAG_JSON) && !file) {
		doc_dump(&out, made);
	} else if (has(c, FLAG_JSON)) {
		jw_open(&out, '{');
		jw_str(&out, "file", file);
		jw_int(&out, "bytes", bytes);
		if (made)
			jw_int(&out, "version", doc_int(doc_get(made, "version"), 0));
		if (doc_get(made, "check"))
			jw_str(&out, "check", doc_str(doc_get(made, "check"), ""));
		jw_close(&out, '}');
	} else {
		text_safe(&out, path, strlen(path));
		buf_puts(&out, "  ");
		text_bytes(&out, bytes);
		if (made)
			buf_printf(&out, "  version %" PRId64, doc_int(doc_get(made, "version"), 0));
		if (doc_get(made, "check"))
			buf_puts(&out, "  checked");
	}
	buf_putc(&out, '\n');
	print_out(&out);
	buf_free(&out);
}

static int make(struct ctl *c, const char *name)
{
	struct buf params = {0};
	struct doc *d = NULL, *gone = NULL;
	int code = c->output ? target_check(c, c->output) : 0;

	jw_open(&params, '{');
	if (name)
		jw_str(&params, "name", name);
	if (has(c, FLAG_VERIFY))
		jw_bool(&params, "check", true);
	jw_close(&params, '}');
	if (code == 0)
		code = ask(c, "backup", buf_cstr(&params), &d);
	if (code == 0) {
		const struct doc_node *made = doc_root(d);
		const char *path = doc_str(doc_get(made, "path"), ""), *slash = strrchr(path, '/');
		const char *called = slash ? slash + 1 : path;
		int64_t bytes = doc_int(doc_get(made, "bytes"), 0);

		if (c->output)
			code = fetch(c, called, c->output, &bytes);
		/* The daemon's own copy is kept if it has a name. */
		if (c->output && !name && with_name(c, "backup.delete", called, &gone) != 0)
			note(c, "the daemon's copy is still there: alterctl backup delete %s", called);
		if (code == 0)
			tell(c, c->output, bytes, made);
	}
	doc_free(gone);
	doc_free(d);
	buf_free(&params);
	return code;
}

static int list(struct ctl *c)
{
	struct doc *d;
	int code = ctl_call(c, "backup.list", NULL, &d);

	if (!d)
		return code;
	const struct doc_node *backups = doc_get(doc_root(d), "backups");
	struct table *t = table_new(c);
	table_column(t, "name");
	table_column(t, "size");
	table_column(t, "made");
	table_column(t, "");
	for (size_t i = 0; i < doc_count(backups); i++) {
		const struct doc_node *b = doc_at(backups, i);
		struct buf size = {0};

		text_bytes(&size, doc_int(doc_get(b, "bytes"), 0));
		const char *row[] = {doc_str(doc_get(b, "name"), ""), buf_cstr(&size),
				     doc_str(doc_get(b, "created"), ""),
				     doc_bool(doc_get(b, "automatic"), false) ? "before a run" : ""};
		table_texts(t, row);
		buf_free(&size);
	}
	if (doc_count(backups) > 0)
		table_end(t);
	else
		note(c, "no backups in %s", doc_str(doc_get(doc_root(d), "folder"), "?"));
	table_free(t);
	doc_free(d);
	return code;
}

static int take_away(struct ctl *c, const char *name)
{
	struct doc *d;
	int code = with_name(c, "backup.delete", name, &d);

	if (code == 0 && has(c, FLAG_JSON))
		puts("{}");
	else if (code == 0)
		note(c, "%s is deleted", name);
	doc_free(d);
	return code;
}

static int fetch_one(struct ctl *c, const char *name)
{
	const char *path = c->output ? c->output : name;
	int64_t bytes = 0;
	int code = target_check(c, path);

	if (code == 0)
		code = fetch(c, name, path, &bytes);
	if (code == 0)
		tell(c, path, bytes, NULL);
	return code;
}

int cmd_backup(struct ctl *c, int argc, char **argv)
{
	static const char *const words[] = {"list", "fetch", "delete", NULL};
	const char *word = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : NULL;
	bool lists = strcmp(word, "list") == 0, fetches = strcmp(word, "fetch") == 0;
	bool deletes = strcmp(word, "delete") == 0;

	if (argc > 2 && !fetches && !deletes) {
		const char *near = nearest(word, words);

		say("backup takes one name%s%s", near ? "; did you mean backup " : "", near ? near : "");
		return EXIT_USAGE;
	}
	if ((fetches || deletes) && !name) {
		say("backup %s needs the name of a backup; alterctl backup list tells them", word);
		return EXIT_USAGE;
	}
	if ((lists || deletes) && (c->output || has(c, FLAG_VERIFY))) {
		say("backup %s takes neither -o nor --verify", word);
		return EXIT_USAGE;
	}
	if (lists)
		return list(c);
	if (deletes)
		return take_away(c, name);
	return fetches ? fetch_one(c, name) : make(c, argc > 1 ? word : NULL);
}
