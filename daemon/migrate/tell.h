/*
 * What the migrator tells as it happens, for those who want to know. Calls come on the loop; what they are given is
 * void afterwards. Nothing is made up for a listener that is not there.
 */
#ifndef ALTERD_MIGRATE_TELL_H
#define ALTERD_MIGRATE_TELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct migrator;

/* Tables told of one change of the schema, at most; what is beyond is told by `more`. */
#define SCHEMA_TABLES_MAX 256
/* A job's progress is told that often, at most. */
#define PROGRESS_MS 250

struct schema_change {
	int64_t version, before; /* the schema's version now, and when it was looked at before */
	int64_t cookie;          /* PRAGMA schema_version */
	size_t n;
	const char *const *tables; /* made, changed (or their indexes and triggers), or gone; views as well */
	bool more;
};

struct migrator_listener {
	void *arg;
	/*
	 * `type`: queued, started, phase, progress, paused, resumed, done, failed, aborted; version: the schema has
	 * another version from here on. `job` is 0 where that came without a job. `data` is a JSON object.
	 */
	void (*job)(void *arg, const char *type, int64_t job, const char *data);
	/* What changed between two looks: tables, or the version, or both. */
	void (*schema)(void *arg, const struct schema_change *change);
	/* The schema has been looked at: from here on changes are told. */
	void (*schema_seen)(void *arg);
};

/*
 * Whom to tell, and of what; the listener is borrowed until another call. A schema that was not watched is looked at
 * first, by a reader lane. May be called at any time, also to have a look tried again that has failed.
 */
void migrator_listen(struct migrator *m, const struct migrator_listener *listener, bool jobs, bool schema);
/* The schema is known as it was at some moment, and every change since is told. */
bool migrator_sees_schema(const struct migrator *m);

#endif
