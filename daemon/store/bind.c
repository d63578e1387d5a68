/* Values of a request into the parameters of a statement. */
#include <string.h>

#include "daemon/store/internal.h"

static int bind_one(sqlite3_stmt *stmt, int i, const struct value *v, bool copy)
{
	sqlite3_destructor_type life = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;

	switch (v->type) {
	case VALUE_INT:
		return sqlite3_bind_int64(stmt, i, v->i);
	case VALUE_REAL:
		return sqlite3_bind_double(stmt, i, v->r);
	case VALUE_TEXT:
		return sqlite3_bind_text64(stmt, i, v->s.p, v->s.n, life, SQLITE_UTF8);
	case VALUE_BLOB:
		return sqlite3_bind_blob64(stmt, i, v->s.p, v->s.n, life);
	case VALUE_NULL:
		break;
	}
	return sqlite3_bind_null(stmt, i);
}

/* The client's name for a parameter may come without its prefix. */
static const struct value *by_name(const struct binds *binds, const char *name)
{
	for (size_t k = 0; k < binds->n; k++)
		if (strcmp(binds->names[k], name) == 0 || strcmp(binds->names[k], name + 1) == 0)
			return &binds->values[k];
	return NULL;
}

static bool names_parameter(sqlite3_stmt *stmt, const char *name)
{
	for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
		const char *parameter = sqlite3_bind_parameter_name(stmt, i);
		if (parameter && (strcmp(parameter, name) == 0 || strcmp(parameter + 1, name) == 0))
			return true;
	}
	return false;
}

int sql_bind(sqlite3_stmt *stmt, const struct binds *binds, bool copy, struct error *err)
{
	int count = sqlite3_bind_parameter_count(stmt), rc = SQLITE_OK;

	if (!binds->names && binds->n != (size_t)count)
		return error_set(err, ERRC_INVALID_PARAMS,
				 "bind: the statement has %d parameters, %zu values were given", count, binds->n);
	for (size_t k = 0; binds->names && k < binds->n; k++)
		if (!names_parameter(stmt, binds->names[k]))
			return error_set(err, ERRC_INVALID_PARAMS, "bind: the statement has no parameter %.60s",
					 binds->names[k]);
	for (int i = 1; i <= count && rc == SQLITE_OK; i++) {
		const struct value *v = &binds->values[i - 1];
		if (binds->names) {
			const char *name = sqlite3_bind_parameter_name(stmt, i);
			v = name ? by_name(binds, name) : NULL;
			if (!v)
				return error_set(err, ERRC_INVALID_PARAMS, "bind: no value for parameter %s",
						 name ? name : "?");
		}
		rc = bind_one(stmt, i, v, copy);
	}
	if (rc != SQLITE_OK)
		return error_from_sqlite(err, rc, -1, "bind", sqlite3_errstr(rc));
	return 0;
}
