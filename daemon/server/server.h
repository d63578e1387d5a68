/*
 * The server room: clients' connections, their requests and their answers, and the life of the daemon around them.
 *
 * Everything here runs on the loop thread. The room calls SQLite nowhere: statements go to the store as jobs, schema
 * changes to the migrator, and the answers come back to the loop.
 */
#ifndef ALTERD_SERVER_SERVER_H
#define ALTERD_SERVER_SERVER_H

#include <stddef.h>

#include "config/config.h"
#include "proto/error.h"

/* Where the settings come from; kept for a reload. All strings are borrowed for the daemon's life. */
struct server_options {
	const char *config_path; /* NULL: no file, defaults and `sets` only */
	const char **defaults;   /* "section.key=value", for what the file does not say */
	size_t defaults_count;
	const char **sets; /* "section.key=value", in the order given; --database and --socket are among them */
	size_t sets_count;
};

/* Fills `ret` from defaults, file and assignments, and checks it as a whole. On failure `ret` needs no freeing. */
int server_config_load(const struct server_options *options, struct config *ret, struct error *err);

/* Serves until a signal ends it. Takes `config`. Returns the exit code (sysexits.h). */
int server_run(const struct server_options *options, struct config *config);

/* A rehearsal's process: reads from stdin what to do, works on a copy at `path`, answers on stdout. The exit code. */
int server_rehearse(const char *path);

#endif
