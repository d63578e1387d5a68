/*
 * Lengths inside keys and records: seven bits a byte. Private to index_key.c and index_record.c.
 */
#ifndef ALTERD_MIGRATE_INDEX_VARINT_H
#define ALTERD_MIGRATE_INDEX_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t key_put_varint(uint8_t *out, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		out[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	out[n++] = (uint8_t)v;
	return n;
}

/* Moves *at behind the number; false when it is cut off. */
static inline bool key_get_varint(const uint8_t **at, const uint8_t *end, size_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; *at < end && shift < 35; shift += 7) {
		uint8_t byte = *(*at)++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = (size_t)v;
			return true;
		}
	}
	return false;
}

#endif
