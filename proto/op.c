/* The tables of op.h as data, lookup by name, and the nearest name for a typing slip. */
#include "proto/op.h"

#include <stdbool.h>
#include <string.h>

#include "proto/param.h"

/* Longest name that is compared for a suggestion; the table's names are all shorter. */
#define SUGGEST_CHARS 32

static const struct op_info op_table[OP_COUNT] = {
#define X(id, wire, op_flags, op_role, need, may, text)                                                                \
	[OP_##id] = {.name = wire,                                                                                     \
		     .flags = op_flags,                                                                                \
		     .role = op_role,                                                                                  \
		     .required = need,                                                                                 \
		     .optional = (may) | P(TIMEOUT_MS),                                                                \
		     .doc = text},
	OP_MAP(X)
#undef X
};

static const size_t op_lengths[OP_COUNT] = {
#define X(id, wire, ...) [OP_##id] = sizeof wire - 1,
	OP_MAP(X)
#undef X
};

static const struct param_info param_table[PARAM_COUNT] = {
#define X(id, wire, kind, text)                                                                                        \
	[PARAM_##id] = {.name = wire, .len = sizeof wire - 1, .type = PARAM_TYPE_##kind, .doc = text},
	PARAM_MAP(X)
#undef X
};

_Static_assert(PARAM_COUNT <= 64, "parameters are told by a mask of 64 bits");

static const char *const role_names[ROLE_COUNT] = {
	[ROLE_NONE] = "none", [ROLE_RO] = "ro", [ROLE_RW] = "rw", [ROLE_MIGRATE] = "migrate", [ROLE_ADMIN] = "admin",
};

const char *role_name(enum role role) { return role_names[role]; }

int role_by_name(const char *name, size_t n, enum role *ret)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (strlen(role_names[i]) == n && memcmp(role_names[i], name, n) == 0) {
			*ret = (enum role)i;
			return 0;
		}
	}
	return -1;
}

const struct op_info *op_info(enum op op) { return &op_table[op]; }

enum op op_by_name(const char *name, size_t n)
{
	unsigned i;

	for (i = 0; i < OP_COUNT; i++) {
		if (op_lengths[i] == n && memcmp(op_table[i].name, name, n) == 0)
			return (enum op)i;
	}
	return OP_COUNT;
}

const struct param_info *param_info(enum param param) { return &param_table[param]; }

enum param param_by_name(const char *name, size_t n)
{
	unsigned i;

	for (i = 0; i < PARAM_COUNT; i++) {
		if (param_table[i].len == n && memcmp(param_table[i].name, name, n) == 0)
			return (enum param)i;
	}
	return PARAM_COUNT;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edits (insert, drop, replace, swap neighbours) that make `a` of `b`; both at most SUGGEST_CHARS long. */
static unsigned distance(const char *a, size_t an, const char *b, size_t bn)
{
	unsigned rows[3][SUGGEST_CHARS + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	size_t i, j;

	for (j = 0; j <= bn; j++)
		above[j] = before[j] = (unsigned)j;
	for (i = 1; i <= an; i++) {
		row[0] = (unsigned)i;
		for (j = 1; j <= bn; j++) {
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[bn];
}

const char *op_suggest(const char *name)
{
	size_t n = strnlen(name, SUGGEST_CHARS + 1);
	unsigned best = n < 4 ? 1 : n < 9 ? 2 : 3;
	const char *found = NULL;
	unsigned i, d;

	if (n == 0 || n > SUGGEST_CHARS)
		return NULL;
	for (i = 0; i < OP_COUNT; i++) {
		d = distance(name, n, op_table[i].name, op_lengths[i]);
		if (d < best || (d == best && found == NULL)) {
			best = d;
			found = op_table[i].name;
		}
	}
	return found;
}
