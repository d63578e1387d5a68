/* Dot commands that show the schema. Names of SQLite's and alterd's own tables are left out. */
#include <stdlib.h>
#include <string.h>

#include "client/ctl/shell.h"

#define NOT_OWN "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\'"
/* Columns of a line that names are spread over, where there is no terminal. */
#define LINE_COLUMNS 80

/* Names in as many columns as fit a line, from the top down, as sqlite3 does. */
static void show_names(struct shell *s, char **names, size_t n)
{
	int widest = 0, columns;
	size_t rows;

	for (size_t i = 0; i < n; i++) {
		int width = (int)strlen(names[i]);

		widest = width > widest ? width : widest;
	}
	columns = LINE_COLUMNS / (widest + 2);
	columns = columns > 0 ? columns : 1;
	rows = (n + (size_t)columns - 1) / (size_t)columns;
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < n; i += rows) {
			buf_puts(&s->out.b, i < rows ? "" : "  ");
			size_t before = s->out.b.len;
			text_plain(&s->out.b, names[i], strlen(names[i]), s->out.tty);
			while (!s->out.b.failed && s->out.b.len - before < (size_t)widest)
				buf_putc(&s->out.b, ' ');
		}
		buf_putc(&s->out.b, '\n');
	}
}

static int list_names(struct shell *s, const char *sql, const char *pattern)
{
	const char *binds[] = {pattern, NULL};
	struct alterd_result *r = NULL;
	char **names = NULL;
	size_t n = 0;
	int code = shell_query(s, sql, binds, &r);

	if (code)
		return code;
	while (alterd_step(r) == 1) {
		const char *name = alterd_cell_text(r, 0);

		names = must(realloc(names, (n + 1) * sizeof(*names)));
		names[n++] = must(strdup(name ? name : ""));
	}
	alterd_result_free(r);
	cancel_unwatch();
	show_names(s, names, n);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return 0;
}

int dot_tables(struct shell *s, int argc, char **argv)
{
	return list_names(s,
			  "SELECT name FROM sqlite_schema WHERE type IN ('table','view') AND " NOT_OWN
			  " AND name LIKE ? ORDER BY 1",
			  argc > 1 ? argv[1] : "%");
}

int dot_indexes(struct shell *s, int argc, char **argv)
{
	/* Those that SQLite makes for UNIQUE and PRIMARY KEY are indexes too. */
	return list_names(
		s,
		"SELECT name FROM sqlite_schema WHERE type='index' AND tbl_name NOT LIKE '\\_alterd\\_%' ESCAPE"
		" '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' AND tbl_name LIKE ? ORDER BY 1",
		argc > 1 ? argv[1] : "%");
}

/* A table's own CREATE and what belongs to it, or what has the name. */
int dot_schema(struct shell *s, int argc, char **argv)
{
	const char *pattern = argc > 1 ? argv[1] : "%", *binds[] = {pattern, pattern, NULL};
	struct alterd_result *r = NULL;
	int code = shell_query(
		s,
		"SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT LIKE"
		" '\\_alterd\\_%' ESCAPE '\\' AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' AND (name LIKE"
		" ? OR tbl_name LIKE ?) ORDER BY rowid",
		binds, &r);

	if (code)
		return code;
	while (!s->out.dead && alterd_step(r) == 1) {
		const char *sql = alterd_cell_text(r, 0);

		if (!sql)
			continue;
		text_plain(&s->out.b, sql, strlen(sql), s->out.tty);
		buf_puts(&s->out.b, ";\n");
		sink_offer(&s->out);
	}
	alterd_result_free(r);
	cancel_unwatch();
	return 0;
}

int dot_databases(struct shell *s, int argc, char **argv)
{
	struct alterd_result *r = NULL;
	int code;

	(void)argc;
	(void)argv;
	code = shell_query(s, "PRAGMA database_list", NULL, &r);
	if (code)
		return code;
	while (alterd_step(r) == 1) {
		const char *name = alterd_cell_text(r, 1), *file = alterd_cell_text(r, 2);

		buf_printf(&s->out.b, "%s: ", name ? name : "");
		text_plain(&s->out.b, file ? file : "", file ? strlen(file) : 0, s->out.tty);
		buf_puts(&s->out.b, s->readonly ? " r/o\n" : " r/w\n");
	}
	alterd_result_free(r);
	cancel_unwatch();
	return 0;
}

/* ---- \d ---- */

static int describe_all(struct shell *s)
{
	return shell_show(
		s, "SELECT name, type FROM sqlite_schema WHERE type IN ('table','view') AND " NOT_OWN " ORDER BY name",
		NULL, MODE_TABLE);
}

/* 1: there is a table or view of that name, 0: none, -1 with the reason told. */
static int exists(struct shell *s, const char *name)
{
	const char *binds[] = {name, NULL};
	struct alterd_result *r = NULL;
	int found;

	if (shell_query(s, "SELECT 1 FROM sqlite_schema WHERE type IN ('table','view') AND name=? COLLATE NOCASE",
			binds, &r) != 0)
		return -1;
	found = alterd_step(r) == 1;
	alterd_result_free(r);
	cancel_unwatch();
	return found;
}

static int part(struct shell *s, const char *title, const char *sql, const char *name)
{
	size_t before = s->out.b.len, begun;
	const char *binds[] = {name, NULL};
	int code;

	buf_printf(&s->out.b, "%s:\n", title);
	begun = s->out.b.len;
	code = shell_show(s, sql, binds, MODE_TABLE);
	/* Nothing of that kind: nor its title. */
	if (s->out.b.len == begun)
		buf_truncate(&s->out.b, before);
	sink_flush(&s->out);
	return code;
}

static int no_table(struct shell *s, const char *name)
{
	const char **names, *near;
	struct buf safe = {0};

	names_refresh(s);
	names = must(calloc((s->names ? s->names->ntables : 0) + 1, sizeof(*names)));
	for (size_t i = 0; s->names && i < s->names->ntables; i++)
		names[i] = s->names->tables[i].name;
	near = nearest(name, names);
	text_safe(&safe, name, strlen(name));
	if (near) {
		buf_puts(&safe, "; did you mean ");
		text_safe(&safe, near, strlen(near));
		say("no table %s?", buf_cstr(&safe));
	} else {
		say("no table %s; .tables lists them", buf_cstr(&safe));
	}
	buf_free(&safe);
	free(names);
	return EXIT_FAILED;
}

int dot_describe(struct shell *s, int argc, char **argv)
{
	static const char *const parts[][2] = {
		{"Columns", "SELECT name AS \"column\", type, CASE WHEN \"notnull\" THEN 'not null' ELSE '' END AS"
			    " \"null\", ifnull(dflt_value,'') AS \"default\", CASE WHEN pk THEN 'key ' || pk WHEN"
			    " hidden>1 THEN 'generated' ELSE '' END AS key FROM pragma_table_xinfo(?)"},
		{"Indexes",
		 "SELECT l.name AS \"index\", (SELECT group_concat(ifnull(name,'(expression)'),', ') FROM (SELECT name"
		 " FROM pragma_index_info(l.name) ORDER BY seqno)) AS columns, CASE WHEN l.\"unique\" THEN 'unique' "
		 "ELSE"
		 " '' END || CASE WHEN l.partial THEN ' partial' ELSE '' END AS kind FROM pragma_index_list(?) l ORDER "
		 "BY"
		 " l.name"},
		{"Foreign keys", "SELECT group_concat(\"from\",', ') AS columns, \"table\" || '(' ||"
				 " ifnull(group_concat(\"to\",', '),'') || ')' AS \"references\", on_delete, on_update"
				 " FROM (SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq) GROUP BY id"},
		{"Referenced by",
		 "SELECT s.name AS \"table\", group_concat(f.\"from\",', ') AS columns FROM sqlite_schema"
		 " s, pragma_foreign_key_list(s.name) f WHERE s.type='table' AND f.\"table\"=?"
		 " COLLATE NOCASE AND s.name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' GROUP BY s.name, f.id"},
		{"Triggers", "SELECT name AS \"trigger\" FROM sqlite_schema WHERE type='trigger' AND tbl_name=? COLLATE"
			     " NOCASE ORDER BY name"},
	};
	int found, code = 0;

	if (argc < 2)
		return describe_all(s);
	found = exists(s, argv[1]);
	if (found < 0)
		return EXIT_FAILED;
	if (!found)
		return no_table(s, argv[1]);
	for (size_t i = 0; !code && i < sizeof(parts) / sizeof(parts[0]); i++)
		code = part(s, parts[i][0], parts[i][1], argv[1]);
	return code;
}
