/*
 * The wal-index, as SQLite documents its format ("WAL-mode File Format"): in the machine's byte order, two copies of a
 * header of 48 bytes, then what is known of checkpoints. Who changes the header writes the second copy first: equal
 * copies are whole.
 */
#include "daemon/store/wal_index.h"

#include <string.h>

/* SQLite maps its first piece whole. */
#define PIECE_BYTES 32768
#define VERSION 3007000
#define HEADER_WORDS 12
#define TRIES 10

enum word { WORD_VERSION = 0, WORD_COMMITS = 2, WORD_FRAMES = 4, WORD_CHECKSUM = 10, WORD_COPIED = 2 * HEADER_WORDS };

static volatile uint32_t *map(sqlite3 *handle)
{
	sqlite3_file *file = NULL;
	void volatile *piece = NULL;

	if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
	    !file->pMethods || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap)
		return NULL;
	if (file->pMethods->xShmMap(file, 0, PIECE_BYTES, 0, &piece) != SQLITE_OK)
		return NULL;
	return piece;
}

bool wal_index_read(sqlite3 *handle, struct wal_index *ret)
{
	const volatile uint32_t *words = map(handle);
	uint32_t copy[2 * HEADER_WORDS + 1];

	for (int i = 0; words && i < TRIES; i++) {
		for (int k = 0; k <= WORD_COPIED; k++)
			copy[k] = words[k];
		if (memcmp(copy, copy + HEADER_WORDS, HEADER_WORDS * sizeof *copy) != 0)
			continue;
		if (copy[WORD_VERSION] != VERSION)
			return false;
		*ret = (struct wal_index){
			.commits = copy[WORD_COMMITS], .frames = copy[WORD_FRAMES], .copied = copy[WORD_COPIED]};
		return true;
	}
	return false;
}

void wal_index_spoil(sqlite3 *handle)
{
	volatile uint32_t *words = map(handle);

	/* As one leaves it who dies between the two copies. The lock that is given back next is the barrier. */
	if (words && words[HEADER_WORDS + WORD_VERSION] == VERSION)
		words[HEADER_WORDS + WORD_CHECKSUM] = ~words[WORD_CHECKSUM];
}
