/*
 * Is "x" a name? SQLite takes it for a string where there is no such name, and statistics and log must show no value.
 *
 * Only SQLite knows, so a text with such quotes is prepared once, when it is seen first, on a connection that does not
 * give that leave: it fails there if one of them is no name. The connection only prepares; all lanes share it, and
 * after a change of the schema it is opened anew. Whatever is in doubt counts as a string.
 */
#include <string.h>

#include "daemon/store/internal.h"

/* A longer text is not worth it. */
#define TEXT_BYTES_MAX 16384

void quoted_start(struct store *s) { pthread_mutex_init(&s->quoted.lock, NULL); }

void quoted_stop(struct store *s)
{
	sqlite3_close(s->quoted.handle);
	s->quoted.handle = NULL;
	pthread_mutex_destroy(&s->quoted.lock);
}

/* Under the lock. A connection that knows the present schema, or NULL. */
static sqlite3 *connection(struct store *s)
{
	struct quoted *q = &s->quoted;
	uint64_t changes = atomic_load(&s->schema_changes);

	if (q->handle && q->schema_changes == changes)
		return q->handle;
	sqlite3_close(q->handle);
	q->handle = NULL;
	q->schema_changes = changes;
	if (sqlite3_open_v2(store_get_config(s)->path, &q->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
		    SQLITE_OK ||
	    sqlite3_db_config(q->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL) != SQLITE_OK ||
	    sqlite3_db_config(q->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL) != SQLITE_OK) {
		sqlite3_close(q->handle);
		q->handle = NULL;
	}
	return q->handle;
}

bool quoted_names(struct store *s, const char *sql, size_t n)
{
	sqlite3_stmt *stmt = NULL;
	bool fine = false;

	if (!memchr(sql, '"', n))
		return true;
	if (n > TEXT_BYTES_MAX)
		return false;
	pthread_mutex_lock(&s->quoted.lock);
	sqlite3 *handle = connection(s);
	if (handle)
		fine = sqlite3_prepare_v2(handle, sql, (int)n + 1, &stmt, NULL) == SQLITE_OK;
	sqlite3_finalize(stmt);
	pthread_mutex_unlock(&s->quoted.lock);
	return fine;
}
