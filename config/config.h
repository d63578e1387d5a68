/*
 * The daemon's configuration: the settings table filled from alterd.conf, drop-ins and --set.
 *
 * INI: `[section]`, `key = value`, comments (# or ;) on lines of their own. An unknown section or key, a value that
 * does not parse or is out of range is an error that names file and line. Later wins: defaults, the file, its drop-ins
 * (<file>.d/ *.conf sorted by name), --set in order. A reload makes a new struct config and compares.
 */
#ifndef ALTERD_CONFIG_CONFIG_H
#define ALTERD_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/access.h"
#include "config/settings.h"
#include "proto/buf.h"
#include "proto/error.h"

#define SETTING_C_STRING char *
#define SETTING_C_INT int64_t
#define SETTING_C_BYTES int64_t
#define SETTING_C_MS int64_t
#define SETTING_C_PERCENT int64_t
#define SETTING_C_BOOL int64_t
#define SETTING_C_MODE int64_t

/* Where a value came from. */
struct config_origin {
	enum { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_SET } kind; /* the table, a file, --set */
	char *file;                                            /* of ORIGIN_FILE; owned */
	int line;
};

enum {
#define X(section, key, field, type, def, reload, least, greatest) SETTING_NUMBER_##field,
	SETTINGS_MAP(X)
#undef X
		SETTINGS_COUNT
};

struct config {
#define X(section, key, field, type, def, reload, least, greatest) SETTING_C_##type field;
	SETTINGS_MAP(X)
#undef X
	struct config_origin origins[SETTINGS_COUNT]; /* in the order of the table */
	struct access access; /* [access], whose keys are names; reported as "access", always reloadable */
};

/* All defaults. */
void config_init(struct config *c);
void config_free(struct config *c);

/* Reads `path` and its drop-ins. Error text: "alterd.conf:12: unknown key store.cash (did you mean store.cache?)". */
int config_read_file(struct config *c, const char *path, struct error *err);
/* The same for text in memory; `name` stands for the file in errors. No drop-ins. */
int config_read_text(struct config *c, const char *name, const char *text, size_t n, struct error *err);
/* One "section.key=value". */
int config_set(struct config *c, const char *assignment, struct error *err);
/* What must hold between settings (output_low < output_high, wal_cap <= wal_hard_cap, synchronous is full|normal, ..).
 */
int config_check(const struct config *c, struct error *err);

/* "section.key" of each setting that differs; for a reload report. restart: only those that a reload cannot take. */
void config_diff(const struct config *from, const struct config *to, bool restart, struct buf *out_names);
/* Takes over into `to` the reloadable settings of `from`, and where those that are in force come from. */
void config_take_reloadable(struct config *to, const struct config *from);
/* Every setting as it is in force, as alterd.conf text. */
void config_dump(const struct config *c, struct buf *out);
/*
 * The same as a JSON object, with where each comes from: {"settings":[{"name","value","default","origin","file"?,
 * "line"?,"reload","waiting"?}]}. `wanted` is what the last reload has read, NULL if there was none: what differs from
 * it is told as `waiting`, for a restart.
 */
void config_write(const struct config *c, const struct config *wanted, struct buf *out);

#endif
