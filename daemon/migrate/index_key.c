/*
 * The encoding behind index_key.h.
 *
 * Each column is a class byte (NULL < numbers < text < blob) and a body that ends by itself; DESC inverts all bytes.
 * Numbers: sign and length of the integral magnitude in the class byte, its bytes, then 0 or 1 and the bits of the
 * fraction, so that INTEGER and REAL compare exactly. BINARY text and blobs: 00 ends, 00 and 01 inside become 01 01 and
 * 01 02. NOCASE compares folded bytes up to a NUL and then lengths, as SQLite does.
 */
#include "daemon/migrate/index_key.h"

#include <math.h>
#include <string.h>

#include "daemon/migrate/index_varint.h"

enum {
	CLASS_NULL = 0x01,
	CLASS_NEGATIVE_HUGE = 0x08,
	CLASS_NEGATIVE = 0x18, /* minus the number of magnitude bytes */
	CLASS_POSITIVE = 0x20, /* plus it */
	CLASS_POSITIVE_HUGE = 0x30,
	CLASS_TEXT = 0x40,
	CLASS_BLOB = 0x50,
};

enum tail_kind { TAIL_REAL = 1, TAIL_MINUS_ZERO, TAIL_TEXT };

#define TWO_63 9223372036854775808.0
#define TWO_64 18446744073709551616.0
#define NUMBER_MAX 18

bool key_collation_by_name(const char *name, enum key_collation *ret)
{
	if (!name || sqlite3_stricmp(name, "BINARY") == 0)
		*ret = KEY_BINARY;
	else if (sqlite3_stricmp(name, "NOCASE") == 0)
		*ret = KEY_NOCASE;
	else if (sqlite3_stricmp(name, "RTRIM") == 0)
		*ret = KEY_RTRIM;
	else
		return false;
	return true;
}

void key_value_get(sqlite3_stmt *stmt, int column, struct key_value *ret)
{
	*ret = (struct key_value){.type = sqlite3_column_type(stmt, column)};
	switch (ret->type) {
	case SQLITE_INTEGER:
		ret->integer = sqlite3_column_int64(stmt, column);
		break;
	case SQLITE_FLOAT:
		ret->real = sqlite3_column_double(stmt, column);
		break;
	case SQLITE_TEXT:
		ret->data = sqlite3_column_text(stmt, column);
		ret->n = (size_t)sqlite3_column_bytes(stmt, column);
		break;
	case SQLITE_BLOB:
		ret->data = sqlite3_column_blob(stmt, column);
		ret->n = (size_t)sqlite3_column_bytes(stmt, column);
		break;
	default:
		break;
	}
}

static size_t put_big_endian(uint8_t *out, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	return n;
}

static uint64_t get_big_endian(const uint8_t *in, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | in[i];
	return v;
}

static size_t byte_length(uint64_t v) { return v == 0 ? 0 : (size_t)(71 - __builtin_clzll(v)) / 8; }

static uint64_t real_bits(double r)
{
	uint64_t bits;

	memcpy(&bits, &r, sizeof(bits));
	return bits;
}

static double bits_real(uint64_t bits)
{
	double r;

	memcpy(&r, &bits, sizeof(r));
	return r;
}

/* `magnitude` + `fraction`, negative or not; at most NUMBER_MAX bytes. */
static size_t put_number(uint8_t *out, bool negative, uint64_t magnitude, double fraction)
{
	size_t length = byte_length(magnitude), n = 1;

	out[0] = (uint8_t)(negative ? CLASS_NEGATIVE - length : CLASS_POSITIVE + length);
	n += put_big_endian(out + n, magnitude, length);
	out[n++] = fraction > 0;
	if (fraction > 0)
		n += put_big_endian(out + n, real_bits(fraction), 8);
	if (negative)
		for (size_t i = 1; i < n; i++)
			out[i] = (uint8_t)~out[i];
	return n;
}

static size_t put_huge(uint8_t *out, double r)
{
	out[0] = r < 0 ? CLASS_NEGATIVE_HUGE : CLASS_POSITIVE_HUGE;
	put_big_endian(out + 1, r < 0 ? ~real_bits(-r) : real_bits(r), 8);
	return 9;
}

static void add_tail(struct buf *tail, size_t at, enum tail_kind kind, const void *data, size_t n)
{
	uint8_t head[12];
	size_t used = key_put_varint(head, at);

	head[used++] = (uint8_t)kind;
	if (kind == TAIL_TEXT)
		used += key_put_varint(head + used, n);
	buf_add(tail, head, used);
	if (kind == TAIL_TEXT)
		buf_add(tail, data, n);
}

static size_t add_real(uint8_t *out, struct buf *tail, size_t at, const struct key_column *column, double r)
{
	double magnitude = fabs(r);

	if (magnitude >= TWO_64)
		return put_huge(out, r);
	double whole = trunc(magnitude), fraction = magnitude - whole;
	/* An integral number of the INTEGER range reads as INTEGER again, unless the tail says otherwise. */
	if (fraction == 0 && magnitude == 0 && signbit(r))
		add_tail(tail, at, TAIL_MINUS_ZERO, NULL, 0);
	else if (fraction == 0 && !column->real && r >= -TWO_63 && r < TWO_63)
		add_tail(tail, at, TAIL_REAL, NULL, 0);
	return put_number(out, r < 0, (uint64_t)whole, fraction);
}

/* Bytes with 00 and 01 escaped, and the end mark. `out` has room for 2 * n + 1. */
static size_t put_escaped(uint8_t *out, const uint8_t *data, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (data[i] <= 1) {
			out[used++] = 1;
			out[used++] = (uint8_t)(data[i] + 1);
		} else {
			out[used++] = data[i];
		}
	}
	out[used++] = 0;
	return used;
}

/* SQLite's NOCASE: ASCII letters folded, nothing compared behind a NUL but the length. `out` has room for n + 5. */
static size_t put_nocase(uint8_t *out, const uint8_t *data, size_t n, bool *ret_changed)
{
	size_t used = 0;
	bool changed = false;

	while (used < n && data[used] != 0) {
		uint8_t byte = data[used];
		bool upper = byte >= 'A' && byte <= 'Z';
		changed |= upper;
		out[used++] = upper ? (uint8_t)(byte + 32) : byte;
	}
	*ret_changed = changed || used < n;
	out[used++] = 0;
	return used + put_big_endian(out + used, n, 4);
}

static size_t add_text(uint8_t *out, struct buf *tail, size_t at, const struct key_column *column,
		       const struct key_value *v)
{
	const uint8_t *data = v->data;
	size_t n = v->n;
	bool changed = false;

	if (column->collation == KEY_NOCASE) {
		size_t used = put_nocase(out, data, n, &changed);
		if (changed)
			add_tail(tail, at, TAIL_TEXT, data, n);
		return used;
	}
	if (column->collation == KEY_RTRIM) {
		while (n > 0 && data[n - 1] == ' ')
			n--;
		if (n < v->n)
			add_tail(tail, at, TAIL_TEXT, data, v->n);
	}
	return put_escaped(out, data, n);
}

void key_add(struct buf *norm, struct buf *tail, size_t at, const struct key_column *column, const struct key_value *v)
{
	uint8_t *out = (uint8_t *)buf_reserve(norm, 2 * v->n + NUMBER_MAX + 1);
	size_t used = 1;
	uint64_t magnitude;

	if (!out)
		return;
	switch (v->type) {
	case SQLITE_INTEGER:
		magnitude = v->integer < 0 ? UINT64_C(0) - (uint64_t)v->integer : (uint64_t)v->integer;
		used = put_number(out, v->integer < 0, magnitude, 0);
		break;
	case SQLITE_FLOAT:
		used = add_real(out, tail, at, column, v->real);
		break;
	case SQLITE_TEXT:
		out[0] = CLASS_TEXT;
		used += add_text(out + 1, tail, at, column, v);
		break;
	case SQLITE_BLOB:
		out[0] = CLASS_BLOB;
		used += put_escaped(out + 1, v->data, v->n);
		break;
	default:
		out[0] = CLASS_NULL;
		break;
	}
	if (column->desc)
		for (size_t i = 0; i < used; i++)
			out[i] = (uint8_t)~out[i];
	norm->len += used;
}

/* A reader over norm and tail while a key is taken apart. */
struct parser {
	const uint8_t *at, *end;
	const uint8_t *tail, *tail_end;
	uint8_t *scratch; /* room for all of norm */
};

static bool parse_number(struct parser *p, uint8_t class, uint8_t flip, struct key_value *ret)
{
	bool negative = class <= CLASS_NEGATIVE;
	size_t length = negative ? (size_t)(CLASS_NEGATIVE - class) : (size_t)(class - CLASS_POSITIVE);
	uint8_t bytes[8];

	if (negative)
		flip = (uint8_t)~flip;
	if ((size_t)(p->end - p->at) < length + 1)
		return false;
	for (size_t i = 0; i < length; i++)
		bytes[i] = p->at[i] ^ flip;
	uint64_t magnitude = get_big_endian(bytes, length);
	p->at += length;
	if ((uint8_t)(*p->at++ ^ flip) != 0) {
		if (p->end - p->at < 8)
			return false;
		for (size_t i = 0; i < 8; i++)
			bytes[i] = p->at[i] ^ flip;
		p->at += 8;
		double r = (double)magnitude + bits_real(get_big_endian(bytes, 8));
		*ret = (struct key_value){.type = SQLITE_FLOAT, .real = negative ? -r : r};
		return true;
	}
	if (magnitude > (uint64_t)INT64_MAX + negative) {
		double r = (double)magnitude;
		*ret = (struct key_value){.type = SQLITE_FLOAT, .real = negative ? -r : r};
		return true;
	}
	*ret = (struct key_value){.type = SQLITE_INTEGER,
				  .integer = (int64_t)(negative ? UINT64_C(0) - magnitude : magnitude)};
	return true;
}

static bool parse_huge(struct parser *p, bool negative, uint8_t flip, struct key_value *ret)
{
	uint8_t bytes[8];

	if (p->end - p->at < 8)
		return false;
	for (size_t i = 0; i < 8; i++)
		bytes[i] = p->at[i] ^ flip;
	p->at += 8;
	uint64_t bits = get_big_endian(bytes, 8);
	*ret = (struct key_value){.type = SQLITE_FLOAT, .real = negative ? -bits_real(~bits) : bits_real(bits)};
	return true;
}

/* Text or blob up to its end mark. In ascending order and without escapes it is used where it lies. */
static bool parse_bytes(struct parser *p, const struct key_column *column, bool text, uint8_t flip,
			struct key_value *ret)
{
	bool nocase = text && column->collation == KEY_NOCASE;
	const uint8_t *from = p->at, *mark = memchr(from, flip, (size_t)(p->end - from));

	if (!mark)
		return false;
	size_t n = (size_t)(mark - from);
	p->at = mark + 1;
	if (nocase) {
		if (p->end - p->at < 4)
			return false;
		p->at += 4;
	}
	ret->type = text ? SQLITE_TEXT : SQLITE_BLOB;
	ret->data = from;
	ret->n = n;
	if (flip == 0 && (nocase || n == 0 || !memchr(from, 1, n)))
		return true;
	uint8_t *out = p->scratch;
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = from[i] ^ flip;
		if (byte == 1 && !nocase && i + 1 < n)
			byte = (uint8_t)((from[++i] ^ flip) - 1);
		out[used++] = byte;
	}
	ret->data = out;
	ret->n = used;
	p->scratch += used;
	return true;
}

/* Corrects a value by the tail's next entry, if that is about this column. */
static bool parse_tail(struct parser *p, size_t at, struct key_value *ret)
{
	const uint8_t *from = p->tail;
	size_t column, n;

	if (from == p->tail_end)
		return true;
	if (!key_get_varint(&from, p->tail_end, &column) || from == p->tail_end)
		return false;
	if (column != at)
		return true;
	switch (*from++) {
	case TAIL_REAL:
		*ret = (struct key_value){.type = SQLITE_FLOAT, .real = (double)ret->integer};
		break;
	case TAIL_MINUS_ZERO:
		*ret = (struct key_value){.type = SQLITE_FLOAT, .real = -0.0};
		break;
	case TAIL_TEXT:
		if (!key_get_varint(&from, p->tail_end, &n) || (size_t)(p->tail_end - from) < n)
			return false;
		*ret = (struct key_value){.type = SQLITE_TEXT, .data = from, .n = n};
		from += n;
		break;
	default:
		return false;
	}
	p->tail = from;
	return true;
}

static bool parse_column(struct parser *p, const struct key_column *column, struct key_value *ret)
{
	uint8_t flip = column->desc ? 0xff : 0;

	if (p->at == p->end)
		return false;
	uint8_t class = *p->at++ ^ flip;
	*ret = (struct key_value){.type = SQLITE_NULL};
	if (class == CLASS_NULL)
		return true;
	if (class == CLASS_TEXT || class == CLASS_BLOB)
		return parse_bytes(p, column, class == CLASS_TEXT, flip, ret);
	if (class == CLASS_NEGATIVE_HUGE || class == CLASS_POSITIVE_HUGE)
		return parse_huge(p, class == CLASS_NEGATIVE_HUGE, flip, ret);
	if ((class >= CLASS_NEGATIVE - 8 && class <= CLASS_NEGATIVE) ||
	    (class >= CLASS_POSITIVE && class <= CLASS_POSITIVE + 8))
		return parse_number(p, class, flip, ret);
	return false;
}

int key_parse(const struct key_ref *key, const struct key_column *columns, size_t count, struct buf *scratch,
	      struct key_value *ret)
{
	scratch->len = 0;
	struct parser p = {.at = key->norm,
			   .end = key->norm + key->norm_n,
			   .tail = key->tail,
			   .tail_end = key->tail + key->tail_n,
			   .scratch = (uint8_t *)buf_reserve(scratch, key->norm_n + 1)};

	if (!p.scratch)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!parse_column(&p, &columns[i], &ret[i]) || !parse_tail(&p, i, &ret[i]))
			return -1;
	return p.at == p.end && p.tail == p.tail_end ? 0 : -1;
}
