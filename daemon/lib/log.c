/*
 * One line, one write(2): lines of several threads do not mix, and what was said before a crash is out.
 *
 * The level is the only thing that changes while threads run, and it is atomic. Control characters of a message (it may
 * quote a client's SQL) become '?' in a line of text, so that an event stays one line and a terminal is not steered by
 * it; JSON escapes them, and the journal takes them as they are.
 */
#include "daemon/lib/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/journal.h"
#include "proto/response.h"
#include "proto/value.h"

/* Bytes of a message; what is longer is cut and ends in "...". */
#define MESSAGE_MAX 2000
/* Time or priority, level, room and newline around it. */
#define FRAME_MAX 128
/* Bytes of a room's name. */
#define ROOM_MAX 32

static const struct {
	const char *name, *stream, *priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "<3>", "3"},
	[LOG_LEVEL_WARNING] = {"warning", "<4>", "4"},
	[LOG_LEVEL_INFO] = {"info", "<6>", "6"},
	[LOG_LEVEL_DEBUG] = {"debug", "<7>", "7"},
};

static const char *const formats[] = {
	[LOG_FORMAT_AUTO] = "auto",
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
	[LOG_FORMAT_JOURNAL] = "journal",
};

static const char *const message_ids[LOG_EVENT_COUNT] = {
#define X(id, message_id, doc) [LOG_EVENT_##id] = message_id,
	LOG_EVENT_MAP(X)
#undef X
};

static const char *const event_names[LOG_EVENT_COUNT] = {
#define X(id, message_id, doc) [LOG_EVENT_##id] = #id,
	LOG_EVENT_MAP(X)
#undef X
};

static atomic_int level_now = LOG_LEVEL_INFO;
static atomic_bool listening; /* there is a listener; readable without the lock */
static pthread_mutex_t listener_lock = PTHREAD_MUTEX_INITIALIZER;
static log_listener *listener; /* both under the lock */
static void *listener_arg;
static bool stream_is_journal;
static enum log_format format_now = LOG_FORMAT_TEXT;
static struct journal journal = {.fd = -1};
static atomic_uint_fast64_t fallbacks;

/* systemd names device and inode of the journal's socket; only if fd 2 still is that socket is the prefix understood.
 */
void log_init(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char *end;

	stream_is_journal = false;
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return;
	device = strtoull(stream, &end, 10);
	if (end == stream || *end != ':')
		return;
	stream = end + 1;
	inode = strtoull(stream, &end, 10);
	if (end == stream || *end != '\0')
		return;
	stream_is_journal = device == (unsigned long long)st.st_dev && inode == (unsigned long long)st.st_ino;
}

void log_open(enum log_format format, const char *socket)
{
	bool asked = format == LOG_FORMAT_JOURNAL;

	if (format == LOG_FORMAT_AUTO)
		format = stream_is_journal ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
	journal_close(&journal);
	bool gone = format == LOG_FORMAT_JOURNAL && journal_open(&journal, socket) != 0;
	format_now = gone ? LOG_FORMAT_TEXT : format;
	if (gone && asked)
		log_warning("server", "the journal's socket %s cannot be used: the log goes to standard error", socket);
}

void log_set_level(enum log_level level) { atomic_store_explicit(&level_now, (int)level, memory_order_relaxed); }
uint64_t log_fallbacks(void) { return atomic_load_explicit(&fallbacks, memory_order_relaxed); }

const char *log_level_name(enum log_level level) { return levels[level].name; }

void log_listen(log_listener *who, void *arg)
{
	pthread_mutex_lock(&listener_lock);
	listener = who;
	listener_arg = arg;
	atomic_store(&listening, who != NULL);
	pthread_mutex_unlock(&listener_lock);
}

static void tell_listener(enum log_level level, const char *room, const char *text, size_t n)
{
	pthread_mutex_lock(&listener_lock);
	if (listener)
		listener(listener_arg, level, room, text, n);
	pthread_mutex_unlock(&listener_lock);
}

bool log_level_by_name(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*ret = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_format_by_name(const char *name, enum log_format *ret)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i], name) == 0) {
			*ret = (enum log_format)i;
			return true;
		}
	}
	return false;
}

/* An event on its way out. */
struct entry {
	enum log_level level;
	const char *room;
	struct log_place place;
	const struct log_fields *fields; /* never NULL */
	const char *message;
	size_t len;
};

static size_t clamp_printed(int n, size_t size) { return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1; }

/* There is nowhere left to report a log that cannot be written. */
static void put(const char *line, size_t n)
{
	ssize_t ignored = write(STDERR_FILENO, line, n);
	(void)ignored;
}

static void write_text(const struct entry *e)
{
	char line[FRAME_MAX + MESSAGE_MAX + 2], time[32];
	size_t len;
	int n;

	if (stream_is_journal) {
		n = snprintf(line, FRAME_MAX, "%s%.*s: ", levels[e->level].stream, ROOM_MAX, e->room);
	} else {
		clock_format(clock_wall_ms(), 3, time);
		n = snprintf(line, FRAME_MAX, "%s %-7s %.*s: ", time, levels[e->level].name, ROOM_MAX, e->room);
	}
	len = clamp_printed(n, FRAME_MAX);
	for (size_t i = 0; i < e->len; i++) {
		char c = e->message[i];
		line[len++] = (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
	}
	line[len++] = '\n';
	put(line, len);
}

static void write_json(const struct entry *e)
{
	const struct log_fields *f = e->fields;
	struct buf line = {0};
	char time[32];

	clock_format(clock_wall_ms(), 3, time);
	jw_open(&line, '{');
	jw_str(&line, "time", time);
	jw_str(&line, "level", levels[e->level].name);
	jw_str(&line, "room", e->room);
	if (f->event)
		jw_str(&line, "event", event_names[f->event]);
	if (f->job) {
		jw_key(&line, "job");
		buf_printf(&line, "\"m%" PRId64 "\"", f->job);
	}
	if (f->version)
		jw_int(&line, "version", f->version);
	if (f->table)
		jw_str(&line, "table", f->table);
	if (f->session) {
		jw_key(&line, "session");
		buf_printf(&line, "\"s%" PRIu64 "\"", f->session);
	}
	jw_key(&line, "message");
	json_write_string(&line, e->message, e->len);
	jw_close(&line, '}');
	buf_putc(&line, '\n');
	if (line.failed)
		write_text(e); /* no memory: it is told all the same */
	else
		put(line.data, line.len);
	buf_free(&line);
}

/* False: the journal did not take it. */
static bool send_to_journal(const struct entry *e)
{
	const struct log_fields *f = e->fields;
	struct buf out = {0};
	char number[32];

	journal_field(&out, "MESSAGE", e->message, e->len);
	journal_text(&out, "PRIORITY", levels[e->level].priority);
	journal_text(&out, "SYSLOG_IDENTIFIER", "alterd");
	journal_text(&out, "ALTERD_ROOM", e->room);
	journal_text(&out, "CODE_FILE", e->place.file);
	(void)snprintf(number, sizeof(number), "%d", e->place.line);
	journal_text(&out, "CODE_LINE", number);
	if (f->event)
		journal_text(&out, "MESSAGE_ID", message_ids[f->event]);
	if (f->table)
		journal_text(&out, "ALTERD_TABLE", f->table);
	(void)snprintf(number, sizeof(number), "m%" PRId64, f->job);
	if (f->job)
		journal_text(&out, "ALTERD_JOB", number);
	(void)snprintf(number, sizeof(number), "%" PRId64, f->version);
	if (f->version)
		journal_text(&out, "ALTERD_VERSION", number);
	(void)snprintf(number, sizeof(number), "s%" PRIu64, f->session);
	if (f->session)
		journal_text(&out, "ALTERD_SESSION", number);
	bool sent = !out.failed && journal_send(&journal, &out) == 0;
	buf_free(&out);
	return sent;
}

static void write_out(const struct entry *e)
{
	if (format_now == LOG_FORMAT_JSON) {
		write_json(e);
		return;
	}
	if (format_now == LOG_FORMAT_JOURNAL && send_to_journal(e))
		return;
	if (format_now == LOG_FORMAT_JOURNAL)
		atomic_fetch_add_explicit(&fallbacks, 1, memory_order_relaxed);
	write_text(e);
}

void log_write(enum log_level level, const char *room, struct log_place place, const struct log_fields *fields,
	       const char *format, ...)
{
	static const struct log_fields none;
	char message[MESSAGE_MAX + 1];
	va_list args;
	int n;

	if ((int)level > atomic_load_explicit(&level_now, memory_order_relaxed))
		return;
	va_start(args, format);
	n = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	struct entry e = {
		.level = level,
		.room = room,
		.place = place,
		.fields = fields ? fields : &none,
		.message = message,
		.len = clamp_printed(n, sizeof(message)),
	};
	if (n > MESSAGE_MAX)
		memcpy(message + e.len - 3, "...", 3);
	write_out(&e);
	if (atomic_load_explicit(&listening, memory_order_relaxed))
		tell_listener(level, room, message, e.len);
}
