/* SQL's words, and the names of the schema. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/shell.h"

/* Names that are kept for completion; a schema with more is completed as far as that. */
#define NAMES_MAX 20000
#define NAMES_WAIT_MS 1000

/* The key words of SQLite 3.40: names that are written like one stand in quotes. */
const char *const sql_words[] = {
	"ABORT",
	"ACTION",
	"ADD",
	"AFTER",
	"ALL",
	"ALTER",
	"ALWAYS",
	"ANALYZE",
	"AND",
	"AS",
	"ASC",
	"ATTACH",
	"AUTOINCREMENT",
	"BEFORE",
	"BEGIN",
	"BETWEEN",
	"BY",
	"CASCADE",
	"CASE",
	"CAST",
	"CHECK",
	"COLLATE",
	"COLUMN",
	"COMMIT",
	"CONFLICT",
	"CONSTRAINT",
	"CREATE",
	"CROSS",
	"CURRENT",
	"CURRENT_DATE",
	"CURRENT_TIME",
	"CURRENT_TIMESTAMP",
	"DATABASE",
	"DEFAULT",
	"DEFERRABLE",
	"DEFERRED",
	"DELETE",
	"DESC",
	"DETACH",
	"DISTINCT",
	"DO",
	"DROP",
	"EACH",
	"ELSE",
	"END",
	"ESCAPE",
	"EXCEPT",
	"EXCLUDE",
	"EXCLUSIVE",
	"EXISTS",
	"EXPLAIN",
	"FAIL",
	"FILTER",
	"FIRST",
	"FOLLOWING",
	"FOR",
	"FOREIGN",
	"FROM",
	"FULL",
	"GENERATED",
	"GLOB",
	"GROUP",
	"GROUPS",
	"HAVING",
	"IF",
	"IGNORE",
	"IMMEDIATE",
	"IN",
	"INDEX",
	"INDEXED",
	"INITIALLY",
	"INNER",
	"INSERT",
	"INSTEAD",
	"INTERSECT",
	"INTO",
	"IS",
	"ISNULL",
	"JOIN",
	"KEY",
	"LAST",
	"LEFT",
	"LIKE",
	"LIMIT",
	"MATCH",
	"MATERIALIZED",
	"NATURAL",
	"NO",
	"NOT",
	"NOTHING",
	"NOTNULL",
	"NULL",
	"NULLS",
	"OF",
	"OFFSET",
	"ON",
	"OR",
	"ORDER",
	"OTHERS",
	"OUTER",
	"OVER",
	"PARTITION",
	"PLAN",
	"PRAGMA",
	"PRECEDING",
	"PRIMARY",
	"QUERY",
	"RAISE",
	"RANGE",
	"RECURSIVE",
	"REFERENCES",
	"REGEXP",
	"REINDEX",
	"RELEASE",
	"RENAME",
	"REPLACE",
	"RESTRICT",
	"RETURNING",
	"RIGHT",
	"ROLLBACK",
	"ROW",
	"ROWS",
	"SAVEPOINT",
	"SELECT",
	"SET",
	"TABLE",
	"TEMP",
	"TEMPORARY",
	"THEN",
	"TIES",
	"TO",
	"TRANSACTION",
	"TRIGGER",
	"UNBOUNDED",
	"UNION",
	"UNIQUE",
	"UPDATE",
	"USING",
	"VACUUM",
	"VALUES",
	"VIEW",
	"VIRTUAL",
	"WHEN",
	"WHERE",
	"WINDOW",
	"WITH",
	"WITHOUT",
	NULL,
};

#define NWORDS (sizeof(sql_words) / sizeof(sql_words[0]) - 1)

static int by_word(const void *key, const void *word) { return strcasecmp(key, *(const char *const *)word); }

bool sql_needs_quotes(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return true;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return true;
	return bsearch(name, sql_words, NWORDS, sizeof(sql_words[0]), by_word) != NULL;
}

/* ---- the schema ---- */

static void push(char ***list, size_t *n, const char *name)
{
	*list = must(realloc(*list, (*n + 1) * sizeof(**list)));
	(*list)[(*n)++] = must(strdup(name));
}

/* Rows of type, name, column, by name. */
static void take_name(struct names *names, const char *type, const char *name, const char *column)
{
	struct names_table *t = names->ntables ? &names->tables[names->ntables - 1] : NULL;

	if (strcmp(type, "table") != 0 && strcmp(type, "view") != 0) {
		push(&names->others, &names->nothers, name);
		return;
	}
	if (!t || strcmp(t->name, name) != 0) {
		names->tables = must(realloc(names->tables, (names->ntables + 1) * sizeof(*names->tables)));
		t = &names->tables[names->ntables++];
		*t = (struct names_table){.name = must(strdup(name))};
	}
	if (column)
		push(&t->columns, &t->ncolumns, column);
}

static struct names *read_names(struct alterd_conn *conn, int64_t version)
{
	/* A view that is broken has no columns, and says so with an error: then there are names alone. */
	static const char *const texts[] = {
		"SELECT s.type, s.name, c.name FROM sqlite_schema s LEFT JOIN pragma_table_xinfo(s.name) c"
		" ON s.type IN ('table','view') WHERE s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND s.name NOT LIKE"
		" '\\_alterd\\_%' ESCAPE '\\' ORDER BY s.name LIMIT ?",
		"SELECT type, name, NULL FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name"
		" NOT LIKE '\\_alterd\\_%' ESCAPE '\\' ORDER BY name LIMIT ?",
	};
	struct alterd_value most = alterd_int(NAMES_MAX);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct names *names = must(calloc(1, sizeof(*names)));
		struct alterd_result *r = NULL;
		int rc = alterd_query(conn, texts[i], &most, 1, &r);

		while (rc == 0 && (rc = alterd_step(r)) == 1) {
			const char *type = alterd_cell_text(r, 0), *name = alterd_cell_text(r, 1);

			if (type && name)
				take_name(names, type, name, alterd_cell_text(r, 2));
			rc = 0;
		}
		alterd_result_free(r);
		names->schema_version = version;
		if (rc == 0)
			return names;
		names_free(names);
	}
	return NULL;
}

void names_refresh(struct shell *s)
{
	struct alterd_conn *conn = s->ctl->conn;
	struct alterd_result *r = NULL;
	struct names *names;
	int64_t version = -1;

	/* One that would wait, or fail since its transaction has, is left alone. */
	if (!conn || s->tx == SHELL_TX_FAILED)
		return;
	alterd_set_timeout(conn, NAMES_WAIT_MS);
	if (alterd_query(conn, "PRAGMA schema_version", NULL, 0, &r) == 0 && alterd_step(r) == 1)
		version = alterd_cell_int(r, 0);
	alterd_result_free(r);
	if (version >= 0 && (!s->names || s->names->schema_version != version)) {
		names = read_names(conn, version);
		if (names) {
			names_free(s->names);
			s->names = names;
		}
	}
	alterd_set_timeout(conn, s->ctl->timeout_ms > 0 ? s->ctl->timeout_ms : -1);
}

void names_free(struct names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->ntables; i++) {
		for (size_t k = 0; k < n->tables[i].ncolumns; k++)
			free(n->tables[i].columns[k]);
		free(n->tables[i].columns);
		free(n->tables[i].name);
	}
	for (size_t i = 0; i < n->nothers; i++)
		free(n->others[i]);
	free(n->tables);
	free(n->others);
	free(n);
}
