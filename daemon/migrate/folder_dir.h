/* The daemon's own folder of migration files, read from the disk. Any lane. */
#ifndef ALTERD_MIGRATE_FOLDER_DIR_H
#define ALTERD_MIGRATE_FOLDER_DIR_H

#include "daemon/migrate/folder.h"

/* Files and bytes of a folder at most. */
#define FOLDER_FILES_MAX 10000
#define FOLDER_BYTES_MAX ((size_t)16 << 20)

/*
 * Reads what a migration tool would look at: *.sql, *.go with a number in front (its name alone), and one level down
 * (diesel's directories) up.sql, down.sql and metadata.toml. Everything is the pool's.
 */
int folder_dir_read(struct pool *pool, const char *path, struct folder_file **ret, size_t *ret_n, struct error *err);

#endif
