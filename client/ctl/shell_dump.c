/*
 * .dump: the database as SQL that makes it again, in sqlite3's form.
 *
 * One transaction reads it all, so that it is the database as it was at one moment. What a virtual table keeps for
 * itself comes with its rows; alterd's own tables are left out.
 */
#include <stdlib.h>
#include <string.h>

#include "client/ctl/shell.h"

#define NOT_OWN " AND tbl_name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"

static const char tables_sql[] =
	"WITH l AS MATERIALIZED (SELECT name FROM pragma_table_list WHERE schema='main' AND type='shadow')"
	" SELECT name, sql FROM sqlite_schema WHERE type='table' AND sql IS NOT NULL AND name LIKE ?" NOT_OWN
	" AND name NOT IN (SELECT name FROM l) ORDER BY tbl_name='sqlite_sequence', rowid";
static const char others_sql[] = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type IN"
				 " ('index','trigger','view') AND (tbl_name LIKE ?1 OR name LIKE ?1)" NOT_OWN;

/* "SELECT a,b FROM t", of the columns that can be inserted. -1: failed as a call does. */
static int select_of(struct shell *s, const char *table, struct buf *out)
{
	struct alterd_value name = alterd_text(table);
	struct alterd_result *r = NULL;
	int rc = alterd_query(s->ctl->conn, "SELECT name FROM pragma_table_info(?)", &name, 1, &r);
	bool first = true;

	buf_puts(out, "SELECT ");
	while (rc == 0 && (rc = alterd_step(r)) == 1) {
		buf_puts(out, first ? "" : ",");
		text_name(out, alterd_cell_text(r, 0));
		first = false;
		rc = 0;
	}
	alterd_result_free(r);
	buf_puts(out, " FROM ");
	text_name(out, table);
	/* A row of a table that nobody else has. */
	if (strcmp(table, "sqlite_sequence") == 0)
		buf_puts(out, " WHERE name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'");
	else if (strcmp(table, "sqlite_stat1") == 0 || strcmp(table, "sqlite_stat4") == 0)
		buf_puts(out, " WHERE tbl NOT LIKE '\\_alterd\\_%' ESCAPE '\\'");
	return rc;
}

static int dump_rows(struct shell *s, const char *table)
{
	struct render_look look = s->look;
	struct alterd_result *r = NULL;
	struct buf sql = {0};
	int rc = select_of(s, table, &sql);

	render_set_mode(&look, MODE_INSERT);
	look.headers = false;
	look.table = table;
	if (rc == 0)
		rc = alterd_query(s->ctl->conn, buf_cstr(&sql), NULL, 0, &r);
	if (rc == 0)
		rc = shell_rows(s, &look, r);
	alterd_result_free(r);
	buf_free(&sql);
	return rc;
}

static void create(struct shell *s, const char *sql)
{
	static const char plain[] = "CREATE TABLE ";
	size_t n = sizeof(plain) - 1;

	/* sqlite3 does it for names in quotes. */
	if (strncmp(sql, plain, n) == 0 && (sql[n] == '\'' || sql[n] == '"')) {
		buf_puts(&s->out.b, "CREATE TABLE IF NOT EXISTS ");
		sql += n;
	}
	text_plain(&s->out.b, sql, strlen(sql), s->out.tty);
	buf_puts(&s->out.b, ";\n");
}

static int dump_table(struct shell *s, const char *name, const char *sql)
{
	if (strcmp(name, "sqlite_sequence") == 0)
		buf_puts(&s->out.b, "DELETE FROM sqlite_sequence;\n");
	else if (strncmp(name, "sqlite_stat", 11) == 0)
		buf_puts(&s->out.b, "ANALYZE sqlite_schema;\n");
	else if (strncmp(name, "sqlite_", 7) == 0)
		return 0;
	else
		create(s, sql);
	return dump_rows(s, name);
}

static int dump_all(struct shell *s, const char *pattern)
{
	struct alterd_value like = alterd_text(pattern);
	struct alterd_result *r = NULL;
	int rc = alterd_query(s->ctl->conn, tables_sql, &like, 1, &r);

	while (rc == 0 && !s->out.dead && !cancel_asked() && (rc = alterd_step(r)) == 1) {
		char *name = must(strdup(alterd_cell_text(r, 0))), *sql = must(strdup(alterd_cell_text(r, 1)));

		rc = dump_table(s, name, sql);
		free(name);
		free(sql);
	}
	alterd_result_free(r);
	r = NULL;
	if (rc == 0)
		rc = alterd_query(s->ctl->conn, others_sql, &like, 1, &r);
	while (rc == 0 && !s->out.dead && !cancel_asked() && (rc = alterd_step(r)) == 1) {
		create(s, alterd_cell_text(r, 0));
		rc = sink_offer(&s->out) ? 0 : rc;
	}
	alterd_result_free(r);
	return rc;
}

static int dump_failed(struct shell *s)
{
	struct ctl *c = s->ctl;
	bool late = strcmp(alterd_error_name(c->conn), "TX_EXPIRED") == 0;
	int code;

	buf_puts(&s->out.b, "ROLLBACK; -- due to errors\n");
	sink_flush(&s->out);
	code = ctl_failed(c, c->conn);
	if (late)
		note(c, "a dump takes one transaction; .backup FILE copies a database of any size");
	return code;
}

int dot_dump(struct shell *s, int argc, char **argv)
{
	bool own = s->tx == SHELL_TX_NONE;
	int code = shell_connect(s), rc = 0;

	if (code)
		return code;
	cancel_watch(s->ctl->conn);
	if (own)
		rc = alterd_begin(s->ctl->conn, "read", 0, 0);
	if (rc == 0) {
		buf_puts(&s->out.b, "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
		rc = dump_all(s, argc > 1 ? argv[1] : "%");
	}
	if (rc != 0)
		code = dump_failed(s);
	else if (cancel_asked())
		say("interrupted");
	else
		buf_puts(&s->out.b, "COMMIT;\n");
	if (own)
		(void)alterd_rollback(s->ctl->conn);
	cancel_unwatch();
	shell_look_at_link(s);
	return code;
}
