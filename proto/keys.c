#include "proto/keys.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;

	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	return memcmp(x->key, y->key, x->key_len);
}

bool keys_distinct(const struct node *object)
{
	const struct node **sorted = malloc(object->count * sizeof *sorted + 1), *member = node_first(object);
	bool distinct = true;
	uint32_t i;

	if (sorted == NULL)
		return false;
	for (i = 0; i < object->count; i++, member = node_next(member))
		sorted[i] = member;
	qsort(sorted, object->count, sizeof *sorted, compare);
	for (i = 1; i < object->count && distinct; i++)
		distinct = compare(&sorted[i - 1], &sorted[i]) != 0;
	free(sorted);
	return distinct;
}
