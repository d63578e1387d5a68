/*
 * dump: the schema as text that makes it again, with the versions that are applied; and its way back into a database,
 * `up --schema`.
 *
 * The text depends on the migrations alone: no times, no user, no tool, so that two databases at one version give the
 * same file. sqlite3's shell loads it, and alterd takes the result for a database at that version.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/scratch.h"
#include "proto/response.h"
#include "proto/utf8.h"

/* The daemon takes lines of 16 MiB; escaped, text grows. */
#define SCHEMA_BYTES_MAX ((size_t)8 << 20)
#define DIFF_LINES_MAX 60

static const char history_table[] =
	"CREATE TABLE alterd_migrations(version INTEGER PRIMARY KEY, name TEXT, checksum TEXT, applied_at TEXT,"
	" took_ms INTEGER, applied_by TEXT, tool TEXT, down_sql TEXT);\n";

/* The shell drops a CR at the end of a line: it is written as char(13). */
#define LITERAL(column) "replace(quote(" column "),char(13),'''||char(13)||''')"

struct lines {
	struct buf text;
	int64_t version, n;
	bool in_order; /* applied in the order of their numbers */
};

/* ---- the versions ---- */

/* `place` 0: the order is that of the numbers. */
static void add_version(struct lines *l, int64_t version, const char *name, const char *checksum, const char *down_sql,
			int64_t place)
{
	if (l->n++ == 0)
		buf_puts(&l->text, history_table);
	buf_puts(&l->text, "INSERT INTO alterd_migrations(version,name,checksum,applied_at,tool,down_sql) VALUES(");
	buf_printf(&l->text, "%" PRId64 ",%s,%s,", version, name, checksum);
	if (place)
		buf_printf(&l->text, "'%06" PRId64 "'", place);
	else
		buf_puts(&l->text, "''");
	buf_puts(&l->text, ",'dump',");
	buf_puts(&l->text, down_sql);
	buf_puts(&l->text, ");\n");
	l->version = version > l->version ? version : l->version;
}

static int own_history(struct alterd_conn *conn, struct lines *l)
{
	/* n is the place by time, m the one by number. */
	static const char sql[] =
		"WITH h AS (SELECT *, row_number() OVER (ORDER BY applied_at,version) AS n, row_number() OVER (ORDER BY"
		" version) AS m FROM alterd_migrations) SELECT version," LITERAL("name") ",quote(checksum)," LITERAL(
			"down_sql") ",n,(SELECT count(*) FROM h WHERE n<>m) FROM h ORDER BY version";
	struct alterd_result *r = NULL;
	int rc = alterd_query(conn, sql, NULL, 0, &r);

	while (rc == 0 && (rc = alterd_step(r)) == 1) {
		bool sorted = alterd_cell_int(r, 5) == 0;
		add_version(l, alterd_cell_int(r, 0), alterd_cell_text(r, 1), alterd_cell_text(r, 2),
			    alterd_cell_text(r, 3), sorted ? 0 : alterd_cell_int(r, 4));
		rc = 0;
	}
	alterd_result_free(r);
	return rc;
}

static void quote(struct buf *out, const char *text)
{
	buf_reset(out, 4096);
	if (!text) {
		buf_puts(out, "NULL");
		return;
	}
	buf_putc(out, '\'');
	for (const char *p = text; *p; p++)
		buf_printf(out, *p == '\'' ? "''" : "%c", *p);
	buf_putc(out, '\'');
}

/* What another tool, or PRAGMA user_version, says is applied. */
static int other_history(struct alterd_conn *conn, struct lines *l)
{
	struct buf name = {0}, checksum = {0};
	struct error err = {0};
	struct doc *d = NULL;
	const char *text;

	if (alterd_call(conn, "migrate.list", NULL, &text) != 0)
		return -1;
	if (doc_parse(text, strlen(text), &d, &err) != 0) {
		error_clear(&err);
		return 0;
	}
	const struct doc_node *all = doc_get(doc_root(d), "migrations");
	for (size_t i = 0; i < doc_count(all); i++) {
		const struct doc_node *n = doc_at(all, i);
		if (strcmp(doc_str(doc_get(n, "state"), ""), "applied") != 0)
			continue;
		quote(&name, doc_str(doc_get(n, "name"), ""));
		quote(&checksum, doc_str(doc_get(n, "checksum"), NULL));
		add_version(l, doc_int(doc_get(n, "version"), 0), buf_cstr(&name), buf_cstr(&checksum), "NULL", 0);
	}
	doc_free(d);
	buf_free(&name);
	buf_free(&checksum);
	return 0;
}

static int has_history(struct alterd_conn *conn, bool *ret)
{
	struct alterd_result *r = NULL;
	int rc = alterd_query(conn, "SELECT 1 FROM sqlite_schema WHERE type='table' AND name='alterd_migrations'", NULL,
			      0, &r);

	*ret = rc == 0 && (rc = alterd_step(r)) == 1;
	alterd_result_free(r);
	return rc < 0 ? -1 : 0;
}

/* ---- the text ---- */

static int read_all(struct alterd_conn *conn, struct snapshot *schema, struct lines *l)
{
	bool own = false;

	if (alterd_begin(conn, "read", 0, 0) != 0)
		return -1;
	int rc = snapshot_read(conn, false, schema);
	if (rc == 0)
		rc = has_history(conn, &own);
	if (rc == 0 && own)
		rc = own_history(conn, l);
	if (rc == 0)
		rc = alterd_commit(conn);
	if (rc == 0 && l->n == 0)
		rc = other_history(conn, l);
	return rc;
}

int dump_text(struct alterd_conn *conn, struct buf *out, int64_t *ret_version)
{
	struct snapshot schema = {0};
	struct lines l = {0};
	int rc = read_all(conn, &schema, &l);

	if (rc == 0) {
		buf_printf(out, "-- The schema at version %" PRId64 ", written by alterctl dump.\n", l.version);
		for (size_t i = 0; i < schema.n; i++)
			buf_printf(out, "%s;\n", schema.at[i].sql);
		buf_add(out, l.text.data, l.text.len);
		if (l.version > 0 && l.version <= INT32_MAX)
			buf_printf(out, "PRAGMA user_version=%" PRId64 ";\n", l.version);
		if (out->failed || l.text.failed)
			must(NULL);
	}
	*ret_version = l.version;
	snapshot_free(&schema);
	buf_free(&l.text);
	return rc;
}

/* ---- files ---- */

static int no_file(const char *path, int error)
{
	struct buf safe = {0};

	text_safe(&safe, path, strlen(path));
	say("%s: %s", buf_cstr(&safe), strerror(error));
	buf_free(&safe);
	return EXIT_NO_INPUT;
}

static int read_text(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return no_file(path, errno);
	while (n != 0 && ret->len <= SCHEMA_BYTES_MAX) {
		char *at = buf_reserve(ret, 65536);
		n = read(fd, must(at), 65536);
		if (n < 0 && errno != EINTR) {
			int error = errno;
			close(fd);
			return no_file(path, error);
		}
		ret->len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (ret->len > SCHEMA_BYTES_MAX)
		say("%s: more than %zu MiB", path, SCHEMA_BYTES_MAX >> 20);
	else if (memchr(buf_cstr(ret), '\0', ret->len) || !utf8_valid(buf_cstr(ret), ret->len))
		say("%s: this is no text in UTF-8", path);
	else
		return 0;
	return EXIT_FAILED;
}

/* All of it or nothing: whoever reads the file meanwhile sees the old one. */
static int write_text(const char *path, struct buf *text)
{
	struct buf other = {0};
	mode_t mask = umask(0);
	size_t done = 0;
	int fd;

	(void)umask(mask);
	buf_printf(&other, "%s.XXXXXX", path);
	(void)buf_cstr(&other);
	fd = mkostemp(other.data, O_CLOEXEC);
	while (fd >= 0 && done < text->len) {
		ssize_t n = write(fd, text->data + done, text->len - done);
		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	bool ok = fd >= 0 && done == text->len && fchmod(fd, 0666 & ~mask) == 0 && fsync(fd) == 0 &&
		  rename(other.data, path) == 0;
	int error = errno;
	if (fd >= 0) {
		close(fd);
		if (!ok)
			(void)unlink(other.data);
	}
	buf_free(&other);
	if (!ok)
		say("cannot write %s: %s", path, strerror(error));
	return ok ? 0 : EXIT_FAILED;
}

int schema_params(const struct ctl *c, struct buf *params)
{
	struct buf text = {0};
	int code;

	if (!c->schema)
		return 0;
	if (!utf8_valid(c->schema, strlen(c->schema))) {
		say("the name of the schema's file is not UTF-8");
		return EXIT_FAILED;
	}
	code = read_text(c->schema, &text);
	if (!code) {
		jw_key(params, "schema");
		jw_open(params, '{');
		jw_str(params, "name", c->schema);
		jw_key(params, "sql");
		json_write_string(params, buf_cstr(&text), text.len);
		jw_close(params, '}');
	}
	buf_free(&text);
	return code;
}

int dump_write(struct ctl *c)
{
	struct buf text = {0};
	int64_t version;
	int code;

	if (dump_text(c->conn, &text, &version) != 0)
		code = ctl_failed(c, c->conn);
	else
		code = write_text(c->dump, &text);
	if (!code)
		note(c, "the schema at version %" PRId64 " is written to %s", version, c->dump);
	buf_free(&text);
	return code;
}

/* ---- the command ---- */

/* The folder's versions in a database of their own. */
static int dump_folder(struct ctl *c, struct buf *out, int64_t *ret_version)
{
	struct buf params = {0};
	struct scratch s = {0};
	char name[] = "dump", *argv[] = {name, NULL};
	int code = files_params(c, 1, argv, &params);

	jw_bool(&params, "wait", true);
	jw_bool(&params, "allow_data_loss", true);
	jw_close(&params, '}');
	if (!code)
		code = scratch_start(c, &s);
	if (!code && (alterd_call(s.conn, "migrate.up", buf_cstr(&params), NULL) != 0 ||
		      dump_text(s.conn, out, ret_version) != 0))
		code = scratch_failed(c, &s);
	scratch_stop(&s);
	buf_free(&params);
	return code;
}

static int dump_running(struct ctl *c, struct buf *out, int64_t *ret_version)
{
	int code = ctl_connect(c);

	if (code)
		return code;
	return dump_text(c->conn, out, ret_version) == 0 ? 0 : ctl_failed(c, c->conn);
}

static void print_json(const struct ctl *c, struct buf *text, int64_t version, const struct buf *differences)
{
	struct buf out = {0};

	jw_open(&out, '{');
	jw_int(&out, "version", version);
	if (c->check)
		jw_bool(&out, "same", differences->len == 0);
	jw_key(&out, c->check ? "diff" : "sql");
	if (c->check)
		json_write_string(&out, differences->data ? differences->data : "", differences->len);
	else
		json_write_string(&out, buf_cstr(text), text->len);
	buf_puts(&out, "}\n");
	print_out(&out);
	buf_free(&out);
}

static int check(struct ctl *c, struct buf *text, int64_t version)
{
	struct buf file = {0}, out = {0};
	int code = read_text(c->check, &file);

	if (!code) {
		diff_lines(buf_cstr(&file), buf_cstr(text), DIFF_LINES_MAX, &out);
		code = out.len > 0 ? EXIT_FAILED : 0;
		if (has(c, FLAG_JSON))
			print_json(c, text, version, &out);
		else if (code)
			say("%s is not the schema at version %" PRId64 "; - is the file, + is what there is:", c->check,
			    version);
		else
			note(c, "%s is the schema at version %" PRId64, c->check, version);
		if (!has(c, FLAG_JSON))
			print_out(&out);
	}
	buf_free(&file);
	buf_free(&out);
	return code;
}

int cmd_dump(struct ctl *c, int argc, char **argv)
{
	struct buf text = {0}, none = {0};
	int64_t version = 0;
	int code;

	(void)argc;
	(void)argv;
	if (c->format && !c->dir) {
		say("--format goes with --dir");
		return EXIT_USAGE;
	}
	code = c->dir ? dump_folder(c, &text, &version) : dump_running(c, &text, &version);
	if (!code && c->check)
		code = check(c, &text, version);
	else if (!code && has(c, FLAG_JSON))
		print_json(c, &text, version, &none);
	else if (!code && !print_out(&text))
		code = EXIT_FAILED;
	buf_free(&text);
	return code;
}
