/*
 * Keys as records, one behind the other: in the sorter's memory, in run files, in batches.
 */
#include <string.h>

#include "daemon/migrate/index_key.h"
#include "daemon/migrate/index_varint.h"

size_t key_write_size(const struct key_ref *key) { return KEY_HEADER_MAX + key->norm_n + key->tail_n; }

size_t key_write(uint8_t *out, const struct key_ref *key)
{
	size_t n = key_put_varint(out, key->norm_n);

	n += key_put_varint(out + n, key->unique_n);
	n += key_put_varint(out + n, key->tail_n);
	memcpy(out + n, key->norm, key->norm_n);
	n += key->norm_n;
	if (key->tail_n > 0)
		memcpy(out + n, key->tail, key->tail_n);
	return n + key->tail_n;
}

bool key_read(const uint8_t *at, const uint8_t *end, struct key_ref *ret)
{
	const uint8_t *from = at;

	if (!key_get_varint(&from, end, &ret->norm_n) || !key_get_varint(&from, end, &ret->unique_n) ||
	    !key_get_varint(&from, end, &ret->tail_n) || (size_t)(end - from) < ret->norm_n ||
	    (size_t)(end - from) - ret->norm_n < ret->tail_n)
		return false;
	ret->norm = from;
	ret->tail = from + ret->norm_n;
	ret->total = (size_t)(from - at) + ret->norm_n + ret->tail_n;
	return true;
}

int key_compare(const struct key_ref *a, const struct key_ref *b)
{
	size_t n = a->norm_n < b->norm_n ? a->norm_n : b->norm_n;
	int order = memcmp(a->norm, b->norm, n);

	if (order != 0 || a->norm_n == b->norm_n)
		return order;
	return a->norm_n < b->norm_n ? -1 : 1;
}
