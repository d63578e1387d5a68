/*
 * The daemon's log: one line an event on stderr, any thread.
 *
 * Plain: `2026-03-01T10:00:00.123Z info  migrate: m7 user: swapped in 1.2 ms`. Where stderr is the journal, each line
 * begins with `<N>` instead of the time. A message says what was being done, to which migration or session, and what
 * happens next. Values of bind parameters are never logged.
 */
#ifndef ALTERD_LIB_LOG_H
#define ALTERD_LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Reads $JOURNAL_STREAM against fd 2 once; call before threads are started. */
void log_init(void);
void log_set_level(enum log_level level); /* any thread, at any time */
bool log_level_by_name(const char *name, enum log_level *ret);

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);

/*
 * Somebody who hears each line that is written, on the thread that writes it, which waits for it: it must be quick and
 * must not log. `room` is static, `text` is the message alone, n bytes. NULL ends it, and nobody is in it then.
 */
typedef void log_listener(void *arg, enum log_level level, const char *room, const char *text, size_t n);
void log_listen(log_listener *listener, void *arg); /* any thread */

/* `room` is the part that speaks: "server", "store", "migrate". A message longer than 2000 bytes is cut. */
void log_write(enum log_level level, const char *room, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(room, ...) log_write(LOG_LEVEL_ERROR, room, __VA_ARGS__)
#define log_warning(room, ...) log_write(LOG_LEVEL_WARNING, room, __VA_ARGS__)
#define log_info(room, ...) log_write(LOG_LEVEL_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_write(LOG_LEVEL_DEBUG, room, __VA_ARGS__)

#endif
