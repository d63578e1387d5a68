/* Duplicate keys of an object with many members. Inside proto only. */
#ifndef ALTERD_PROTO_KEYS_H
#define ALTERD_PROTO_KEYS_H

#include <stdbool.h>

#include "proto/tree.h"

/*
 * True if no two members of the object have the same key; false also where memory is short. Sorts, so that no choice
 * of keys makes it slow as it would a hash table.
 */
bool keys_distinct(const struct node *object);

#endif
