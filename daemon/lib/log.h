/*
 * The daemon's log: one line an event on stderr, or one entry in the journal; any thread.
 *
 * Text: `2026-03-01T10:00:00.123Z info  migrate: m7 user: swapped in 1.2 ms`. Where stderr is the journal, each line
 * begins with `<N>` instead of the time. JSON: the same as one object a line. Journal: its native datagrams, with
 * fields. A message says what was being done, to which migration or session, and what happens next. Values of bind
 * parameters are never logged.
 */
#ifndef ALTERD_LIB_LOG_H
#define ALTERD_LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lib/log_events.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_format {
	LOG_FORMAT_AUTO,    /* the journal's own form where stderr is the journal, else text */
	LOG_FORMAT_TEXT,    /* on stderr */
	LOG_FORMAT_JSON,    /* on stderr, an object a line */
	LOG_FORMAT_JOURNAL, /* entries with fields, sent to the journal's socket; text where there is none */
};

/* What an event is about; what is zero is left out. */
struct log_fields {
	enum log_event event;
	int64_t job;       /* m<job> */
	int64_t version;   /* of a migration file */
	const char *table; /* borrowed */
	uint64_t session;  /* s<session> */
};
#define LOG_FIELDS(...) (&(const struct log_fields){__VA_ARGS__})

/* Reads $JOURNAL_STREAM against fd 2 once; call before threads are started. */
void log_init(void);
/* How it is written from here on; `socket` is the journal's, copied. Before threads are started. */
void log_open(enum log_format format, const char *socket);
void log_set_level(enum log_level level); /* any thread, at any time */
bool log_level_by_name(const char *name, enum log_level *ret);
bool log_format_by_name(const char *name, enum log_format *ret);
/* Entries that the journal did not take and that went to stderr; any thread. */
uint64_t log_fallbacks(void);

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);

/*
 * Somebody who hears each line that is written, on the thread that writes it, which waits for it: it must be quick and
 * must not log. `room` is static, `text` is the message alone, n bytes. NULL ends it, and nobody is in it then.
 */
typedef void log_listener(void *arg, enum log_level level, const char *room, const char *text, size_t n);
void log_listen(log_listener *listener, void *arg); /* any thread */

struct log_place {
	const char *file;
	int line;
};

/*
 * `room` is the part that speaks: "server", "store", "migrate". A message longer than 2000 bytes is cut. `fields` may
 * be NULL.
 */
void log_write(enum log_level level, const char *room, struct log_place place, const struct log_fields *fields,
	       const char *format, ...) __attribute__((format(printf, 5, 6)));

#define log_event(level, room, fields, ...)                                                                            \
	log_write(level, room, (struct log_place){__FILE__, __LINE__}, fields, __VA_ARGS__)
#define log_error(room, ...) log_event(LOG_LEVEL_ERROR, room, NULL, __VA_ARGS__)
#define log_warning(room, ...) log_event(LOG_LEVEL_WARNING, room, NULL, __VA_ARGS__)
#define log_info(room, ...) log_event(LOG_LEVEL_INFO, room, NULL, __VA_ARGS__)
#define log_debug(room, ...) log_event(LOG_LEVEL_DEBUG, room, NULL, __VA_ARGS__)

#endif
