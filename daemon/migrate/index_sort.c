/*
 * The sorter behind index_sort.h: an arena of records with an array of (next eight bytes, record) pairs, sorted by
 * index_quick.c; runs lie one behind the other in one unlinked file and are merged through a heap.
 *
 * Arena and array are mapped, not allocated: their memory goes back to the system as soon as a run is written.
 */
#include "daemon/migrate/index_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/index_quick.h"

#define BLOCK_BYTES_LEAST ((size_t)16 << 10)
#define BLOCK_BYTES_MOST ((size_t)1 << 20)
#define ENTRIES_FIRST ((size_t)1 << 9)
#define WRITE_BYTES ((size_t)256 << 10)
#define READ_BYTES_LEAST ((size_t)4 << 10)
#define READ_BYTES_MOST ((size_t)1 << 20)

struct block {
	struct block *next;
	size_t size, used; /* of the mapping, this head included */
};

struct run {
	off_t at, end; /* what of it lies in the file, unread */
	uint8_t *data; /* read buffer */
	size_t size, from, to;
	struct key_ref key; /* the run's first key not yet given out; points into data */
};

struct sorter {
	const char *temp_dir;
	size_t block_bytes;
	struct block *blocks;  /* newest first */
	struct entry *entries; /* mapped */
	size_t count, room;    /* of entries */
	size_t memory;         /* bytes mapped */
	size_t at;             /* next entry to give out, when nothing was spilled */
	int fd;                /* the file of runs; -1 while none */
	off_t file_end;
	struct run *runs;
	size_t run_count, run_room;
	struct run **heap; /* the runs with keys left, least key first */
	size_t heap_count;
	bool advance; /* the heap's first run has given its key out */
	uint64_t keys;
};

struct sorter *sorter_new(const char *temp_dir, size_t share_bytes)
{
	struct sorter *s = xcalloc(1, sizeof(*s));
	size_t block = share_bytes / 8;

	s->temp_dir = temp_dir;
	s->block_bytes = block < BLOCK_BYTES_LEAST  ? BLOCK_BYTES_LEAST
			 : block > BLOCK_BYTES_MOST ? BLOCK_BYTES_MOST
						    : block;
	s->fd = -1;
	return s;
}

static void free_memory(struct sorter *s)
{
	while (s->blocks) {
		struct block *b = s->blocks;
		s->blocks = b->next;
		munmap(b, b->size);
	}
	if (s->entries)
		munmap(s->entries, s->room * sizeof(*s->entries));
	s->entries = NULL;
	s->count = s->room = 0;
	s->memory = 0;
}

void sorter_free(struct sorter *s)
{
	if (!s)
		return;
	free_memory(s);
	for (size_t i = 0; i < s->run_count; i++)
		free(s->runs[i].data);
	free(s->runs);
	free(s->heap);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

size_t sorter_memory(const struct sorter *s) { return s->memory; }

uint64_t sorter_keys(const struct sorter *s) { return s->keys; }

uint64_t sorter_spilled_bytes(const struct sorter *s) { return (uint64_t)s->file_end; }

static int no_memory(struct error *err) { return error_set(err, ERRC_INTERNAL, "no memory to sort index keys"); }

static int file_error(struct error *err, const char *doing)
{
	return error_set(err, ERRC_INTERNAL, "cannot %s the temporary file of index keys: %s", doing, strerror(errno));
}

static void *map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Room for n bytes in the newest block, or in a new one; a key larger than a block has a block of its own. */
static uint8_t *arena_reserve(struct sorter *s, size_t n)
{
	struct block *b = s->blocks;

	if (!b || b->size - b->used < n) {
		size_t size = n + sizeof(*b) > s->block_bytes ? n + sizeof(*b) : s->block_bytes;
		b = map(size);
		if (!b)
			return NULL;
		b->size = size;
		b->used = sizeof(*b);
		b->next = s->blocks;
		s->blocks = b;
		s->memory += size;
	}
	return (uint8_t *)b + b->used;
}

static bool entries_reserve(struct sorter *s)
{
	if (s->count < s->room)
		return true;
	size_t room = s->room > 0 ? s->room * 2 : ENTRIES_FIRST;
	size_t old = s->room * sizeof(*s->entries), new = room * sizeof(*s->entries);
	void *at = s->entries ? mremap(s->entries, old, new, MREMAP_MAYMOVE) : map(new);
	if (!at || at == MAP_FAILED)
		return false;
	s->entries = at;
	s->room = room;
	s->memory += new - old;
	return true;
}

int sorter_add(struct sorter *s, const struct key_ref *key, struct error *err)
{
	PRE(s->run_count == 0 || !s->heap);
	uint8_t *out = arena_reserve(s, key_write_size(key));

	if (!out || !entries_reserve(s))
		return no_memory(err);
	s->blocks->used += key_write(out, key);
	s->entries[s->count++] = (struct entry){.word = quick_word(out, 0), .record = out};
	s->keys++;
	return 0;
}

static int open_file(struct sorter *s, struct error *err)
{
	char path[4096];

	if (s->fd >= 0)
		return 0;
	s->fd = open(s->temp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (s->fd >= 0)
		return 0;
	/* Not every file system has O_TMPFILE. */
	int n = snprintf(path, sizeof(path), "%s/alterd-sort-XXXXXX", s->temp_dir);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return file_error(err, "create");
	}
	s->fd = mkostemp(path, O_CLOEXEC);
	if (s->fd < 0)
		return file_error(err, "create");
	unlink(path);
	return 0;
}

static int write_all(struct sorter *s, const uint8_t *data, size_t n, struct error *err)
{
	while (n > 0) {
		ssize_t done = pwrite(s->fd, data, n, s->file_end);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return file_error(err, "write");
		data += done;
		n -= (size_t)done;
		s->file_end += done;
	}
	return 0;
}

static int write_run(struct sorter *s, struct error *err)
{
	uint8_t *out = xmalloc(WRITE_BYTES);
	size_t used = 0;
	int result = 0;

	for (size_t i = 0; result == 0 && i < s->count; i++) {
		if (i + QUICK_PREFETCH < s->count)
			__builtin_prefetch(s->entries[i + QUICK_PREFETCH].record);
		struct key_ref key = quick_key(s->entries[i].record);
		if (used + key.total > WRITE_BYTES) {
			result = write_all(s, out, used, err);
			used = 0;
		}
		if (result == 0 && key.total > WRITE_BYTES) {
			result = write_all(s, s->entries[i].record, key.total, err);
		} else if (result == 0) {
			memcpy(out + used, s->entries[i].record, key.total);
			used += key.total;
		}
	}
	if (result == 0)
		result = write_all(s, out, used, err);
	free(out);
	return result;
}

int sorter_spill(struct sorter *s, struct error *err)
{
	if (s->count == 0)
		return 0;
	if (s->run_count == s->run_room) {
		size_t room = s->run_room > 0 ? s->run_room * 2 : 8;
		struct run *runs = realloc(s->runs, room * sizeof(*runs));
		if (!runs)
			return no_memory(err);
		s->runs = runs;
		s->run_room = room;
	}
	if (open_file(s, err) != 0)
		return -1;
	off_t start = s->file_end;
	quick_sort(s->entries, s->count);
	if (write_run(s, err) != 0)
		return -1;
	s->runs[s->run_count++] = (struct run){.at = start, .end = s->file_end};
	free_memory(s);
	return 0;
}

/* Reads on behind what the buffer holds; makes it larger when one key does not fit. */
static int run_fill(struct sorter *s, struct run *r, struct error *err)
{
	if (r->from > 0) {
		memmove(r->data, r->data + r->from, r->to - r->from);
		r->to -= r->from;
		r->from = 0;
	}
	if (r->to == r->size) {
		uint8_t *data = realloc(r->data, r->size * 2);
		if (!data)
			return no_memory(err);
		r->data = data;
		r->size *= 2;
	}
	size_t want = r->size - r->to;
	if ((off_t)want > r->end - r->at)
		want = (size_t)(r->end - r->at);
	ssize_t got = pread(s->fd, r->data + r->to, want, r->at);
	if (got < 0 && errno == EINTR)
		return 0;
	if (got == 0)
		errno = EIO;
	if (got <= 0)
		return file_error(err, "read");
	r->to += (size_t)got;
	r->at += got;
	return 0;
}

/* The run's next key into r->key: 1, 0 at its end, -1 on failure. */
static int run_next(struct sorter *s, struct run *r, struct error *err)
{
	while (!key_read(r->data + r->from, r->data + r->to, &r->key)) {
		if (r->at == r->end && r->from == r->to)
			return 0;
		if (r->at == r->end) {
			errno = EIO;
			return file_error(err, "read");
		}
		if (run_fill(s, r, err) != 0)
			return -1;
	}
	r->from += r->key.total;
	return 1;
}

static void heap_down(struct sorter *s, size_t at)
{
	for (;;) {
		size_t least = at, child = 2 * at + 1;
		for (size_t i = child; i < child + 2 && i < s->heap_count; i++)
			if (key_compare(&s->heap[i]->key, &s->heap[least]->key) < 0)
				least = i;
		if (least == at)
			return;
		struct run *kept = s->heap[at];
		s->heap[at] = s->heap[least];
		s->heap[least] = kept;
		at = least;
	}
}

static int open_merge(struct sorter *s, size_t merge_bytes, struct error *err)
{
	size_t each = merge_bytes / s->run_count;

	each = each < READ_BYTES_LEAST ? READ_BYTES_LEAST : each > READ_BYTES_MOST ? READ_BYTES_MOST : each;
	s->heap = xcalloc(s->run_count, sizeof(struct run *));
	for (size_t i = 0; i < s->run_count; i++) {
		struct run *r = &s->runs[i];
		r->data = malloc(each);
		if (!r->data)
			return no_memory(err);
		r->size = each;
		int got = run_next(s, r, err);
		if (got < 0)
			return -1;
		if (got > 0)
			s->heap[s->heap_count++] = r;
	}
	for (size_t i = s->heap_count / 2; i-- > 0;)
		heap_down(s, i);
	return 0;
}

int sorter_finish(struct sorter *s, size_t merge_bytes, struct error *err)
{
	if (s->run_count == 0) {
		quick_sort(s->entries, s->count);
		return 0;
	}
	return sorter_spill(s, err) == 0 ? open_merge(s, merge_bytes, err) : -1;
}

int sorter_next(struct sorter *s, struct key_ref *ret, struct error *err)
{
	if (s->run_count == 0) {
		if (s->at == s->count)
			return 0;
		if (s->at + QUICK_PREFETCH < s->count)
			__builtin_prefetch(s->entries[s->at + QUICK_PREFETCH].record);
		*ret = quick_key(s->entries[s->at++].record);
		return 1;
	}
	if (s->advance) {
		int more = run_next(s, s->heap[0], err);
		if (more < 0)
			return -1;
		if (more == 0)
			s->heap[0] = s->heap[--s->heap_count];
		heap_down(s, 0);
		s->advance = false;
	}
	if (s->heap_count == 0)
		return 0;
	*ret = s->heap[0]->key;
	s->advance = true;
	return 1;
}
