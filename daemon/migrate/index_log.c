/*
 * The log: a file of records, of which the last piece is in memory. A record is its length, the rowid, and the key as
 * index_record.c writes it, if there is one.
 */
#include "daemon/migrate/index_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/check.h"

#define LOG_HEAD (sizeof(uint32_t) + sizeof(int64_t))
/* Piece that goes to the file at once, and that a cursor reads at once. */
#define PIECE ((size_t)256 << 10)

struct index_log {
	pthread_mutex_t lock;
	char *temp_dir;
	int fd;            /* -1 until something is written */
	uint64_t dropped;  /* positions before this are gone; the file begins here */
	uint64_t tail_at;  /* position of `tail` */
	struct buf tail;   /* the last records */
	const char *lost;  /* static text */
	struct buf record; /* the writer's: one being made */
};

struct index_log *index_log_new(const char *temp_dir)
{
	struct index_log *log = xcalloc(1, sizeof(*log));

	pthread_mutex_init(&log->lock, NULL);
	log->temp_dir = xstrdup(temp_dir);
	log->fd = -1;
	return log;
}

void index_log_free(struct index_log *log)
{
	if (!log)
		return;
	if (log->fd >= 0)
		close(log->fd);
	buf_free(&log->tail);
	buf_free(&log->record);
	free(log->temp_dir);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

static bool open_file(struct index_log *log)
{
	struct buf path = {0};

	buf_printf(&path, "%s/alterd-log-XXXXXX", log->temp_dir);
	buf_cstr(&path);
	log->fd = path.failed ? -1 : mkostemp(path.data, O_CLOEXEC);
	if (log->fd >= 0)
		unlink(path.data);
	buf_free(&path);
	return log->fd >= 0;
}

static bool write_all(int fd, const char *data, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t wrote = pwrite(fd, data, n, (off_t)at);
		if (wrote <= 0)
			return false;
		data += wrote;
		n -= (size_t)wrote;
		at += (uint64_t)wrote;
	}
	return true;
}

/* Under the lock. */
static void spill(struct index_log *log)
{
	if (log->fd < 0 && !open_file(log)) {
		log->lost = "no temporary file for the changes of clients";
		return;
	}
	if (!write_all(log->fd, log->tail.data, log->tail.len, log->tail_at - log->dropped)) {
		log->lost = "the changes of clients cannot be written to a temporary file";
		return;
	}
	log->tail_at += log->tail.len;
	buf_truncate(&log->tail, 0);
}

void index_log_add(struct index_log *log, int64_t rowid, const struct key_ref *key)
{
	struct buf *r = &log->record;
	uint32_t n = 0;

	buf_truncate(r, 0);
	buf_add(r, (const char *)&n, sizeof(n));
	buf_add(r, (const char *)&rowid, sizeof(rowid));
	if (key) {
		size_t head = r->len;
		char *room = buf_reserve(r, key_write_size(key));
		if (room)
			r->len = head + key_write((uint8_t *)room, key);
	}
	n = (uint32_t)r->len;
	pthread_mutex_lock(&log->lock);
	if (!log->lost) {
		if (!r->failed)
			memcpy(r->data, &n, sizeof(n));
		buf_add(&log->tail, r->data, r->len);
		if (r->failed || log->tail.failed)
			log->lost = "no memory for the changes of clients";
		else if (log->tail_at + log->tail.len - log->dropped > INDEX_LOG_BYTES_MAX)
			log->lost = "clients have changed more than can be kept track of";
		else if (log->tail.len >= PIECE)
			spill(log);
	}
	pthread_mutex_unlock(&log->lock);
}

void index_log_lose(struct index_log *log, const char *why)
{
	pthread_mutex_lock(&log->lock);
	if (!log->lost)
		log->lost = why;
	pthread_mutex_unlock(&log->lock);
}

const char *index_log_lost(struct index_log *log)
{
	pthread_mutex_lock(&log->lock);
	const char *why = log->lost;
	pthread_mutex_unlock(&log->lock);
	return why;
}

uint64_t index_log_end(struct index_log *log)
{
	pthread_mutex_lock(&log->lock);
	uint64_t end = log->tail_at + log->tail.len;
	pthread_mutex_unlock(&log->lock);
	return end;
}

void index_log_drop(struct index_log *log, uint64_t position)
{
	pthread_mutex_lock(&log->lock);
	if (position == log->tail_at + log->tail.len && position > log->dropped) {
		buf_truncate(&log->tail, 0);
		log->tail_at = log->dropped = position;
		if (log->fd >= 0 && ftruncate(log->fd, 0) != 0)
			log->lost = "a temporary file cannot be emptied";
	}
	pthread_mutex_unlock(&log->lock);
}

/* Reads a piece from c->at on, `least` bytes if there are so many. False: it cannot be read. */
static bool fetch(struct index_log *log, struct index_log_cursor *c, size_t least)
{
	size_t want = least > PIECE ? least : PIECE;
	bool fine = true;

	buf_truncate(&c->read, 0);
	c->from = c->at;
	pthread_mutex_lock(&log->lock);
	uint64_t tail_at = log->tail_at, dropped = log->dropped;
	if (c->at >= tail_at)
		buf_add(&c->read, log->tail.data + (c->at - tail_at), log->tail.len - (size_t)(c->at - tail_at));
	pthread_mutex_unlock(&log->lock);
	if (c->at < tail_at) {
		/* What is in the file stays as it is. */
		if (want > tail_at - c->at)
			want = (size_t)(tail_at - c->at);
		char *room = buf_reserve(&c->read, want);
		size_t got = 0;
		while (room && got < want) {
			ssize_t n = pread(log->fd, room + got, want - got, (off_t)(c->at - dropped + got));
			if (n <= 0)
				break;
			got += (size_t)n;
		}
		fine = got == want;
		if (fine)
			c->read.len += want;
	}
	return fine && !c->read.failed;
}

/* The record at c->at, if all of it has been read. */
static bool parse(const struct index_log_cursor *c, struct index_log_record *ret, uint32_t *ret_n)
{
	const char *at = c->read.data + (c->at - c->from);
	size_t have = c->read.len - (size_t)(c->at - c->from);

	*ret_n = 0;
	if (have < LOG_HEAD)
		return false;
	memcpy(ret_n, at, sizeof(*ret_n));
	if (have < *ret_n)
		return false;
	memcpy(&ret->rowid, at + sizeof(uint32_t), sizeof(ret->rowid));
	ret->position = c->at;
	ret->entry = *ret_n > LOG_HEAD;
	if (ret->entry)
		CHECK(key_read((const uint8_t *)at + LOG_HEAD, (const uint8_t *)at + *ret_n, &ret->key));
	return true;
}

int index_log_read(struct index_log *log, struct index_log_cursor *c, struct index_log_record *ret)
{
	uint32_t n = 0;

	if (c->at >= index_log_end(log))
		return 0;
	if (c->at < c->from || c->at >= c->from + c->read.len || !parse(c, ret, &n)) {
		if (!fetch(log, c, n))
			goto lost;
		if (!parse(c, ret, &n)) {
			/* A record longer than a piece, of which only the head was seen. */
			if (!fetch(log, c, n) || !parse(c, ret, &n))
				goto lost;
		}
	}
	c->at += n;
	return 1;
lost:
	index_log_lose(log, "the changes of clients cannot be read back");
	return -1;
}

void index_log_cursor_free(struct index_log_cursor *c)
{
	buf_free(&c->read);
	*c = (struct index_log_cursor){0};
}
