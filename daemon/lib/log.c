/*
 * One line, one write(2): lines of several threads do not mix, and what was said before a crash is out.
 *
 * The level is the only thing that changes while threads run, and it is atomic. Control characters of a message (it may
 * quote a client's SQL) become '?', so that an event stays one line and a terminal is not steered by it.
 */
#include "daemon/lib/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/lib/clock.h"

/* Bytes of a message; what is longer is cut and ends in "...". */
#define MESSAGE_MAX 2000
/* Time or priority, level, room and newline around it. */
#define FRAME_MAX 128

static const struct {
	const char *name, *journal;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "<3>"},
	[LOG_LEVEL_WARNING] = {"warning", "<4>"},
	[LOG_LEVEL_INFO] = {"info", "<6>"},
	[LOG_LEVEL_DEBUG] = {"debug", "<7>"},
};

static atomic_int level_now = LOG_LEVEL_INFO;
static atomic_bool listening; /* there is a listener; readable without the lock */
static pthread_mutex_t listener_lock = PTHREAD_MUTEX_INITIALIZER;
static log_listener *listener; /* both under the lock */
static void *listener_arg;
static bool to_journal;

/* systemd names device and inode of the journal's socket; only if fd 2 still is that socket is the prefix understood.
 */
void log_init(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char *end;

	to_journal = false;
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return;
	device = strtoull(stream, &end, 10);
	if (end == stream || *end != ':')
		return;
	stream = end + 1;
	inode = strtoull(stream, &end, 10);
	if (end == stream || *end != '\0')
		return;
	to_journal = device == (unsigned long long)st.st_dev && inode == (unsigned long long)st.st_ino;
}

void log_set_level(enum log_level level) { atomic_store_explicit(&level_now, (int)level, memory_order_relaxed); }

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

static size_t clamp_printed(int n, size_t size) { return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1; }

void log_write(enum log_level level, const char *room, const char *format, ...)
{
	char line[FRAME_MAX + MESSAGE_MAX + 2], time[32];
	va_list args;
	size_t len, begin;
	int n;

	if ((int)level > atomic_load_explicit(&level_now, memory_order_relaxed))
		return;
	if (to_journal) {
		n = snprintf(line, FRAME_MAX, "%s%.32s: ", levels[level].journal, room);
	} else {
		clock_format(clock_wall_ms(), 3, time);
		n = snprintf(line, FRAME_MAX, "%s %-7s %.32s: ", time, levels[level].name, room);
	}
	begin = len = clamp_printed(n, FRAME_MAX);
	va_start(args, format);
	n = vsnprintf(line + len, MESSAGE_MAX + 1, format, args);
	va_end(args);
	len += clamp_printed(n, MESSAGE_MAX + 1);
	if (n > MESSAGE_MAX)
		memcpy(line + len - 3, "...", 3);
	for (size_t i = begin; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	/* There is nowhere left to report a log that cannot be written. */
	ssize_t ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
	if (atomic_load_explicit(&listening, memory_order_relaxed))
		tell_listener(level, room, line + begin, len - 1 - begin);
}
