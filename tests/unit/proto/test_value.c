/* Numbers, NULL and BLOBs: what the wire shows of each, and that every number comes back as it was. */
#include "proto/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tests/unit/proto/proto_test.h"

#define RANDOM_DOUBLES 80000

/* A small generator, so that a failing run can be had again: the seed is constant. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void check_int(int64_t v, enum int64_mode mode, const char *want)
{
	struct buf b = {0};

	value_write_int(&b, v, mode);
	ck_buf(&b, want);
	buf_free(&b);
}

START_TEST(test_integers_beyond_53_bits_are_escaped_in_auto_mode)
{
	check_int(0, INT64_AUTO, "0");
	check_int(-1, INT64_AUTO, "-1");
	check_int(9007199254740991, INT64_AUTO, "9007199254740991");
	check_int(-9007199254740991, INT64_AUTO, "-9007199254740991");
	check_int(9007199254740992, INT64_AUTO, "{\"int\":\"9007199254740992\"}");
	check_int(-9007199254740992, INT64_AUTO, "{\"int\":\"-9007199254740992\"}");
	check_int(INT64_MAX, INT64_AUTO, "{\"int\":\"9223372036854775807\"}");
	check_int(INT64_MIN, INT64_AUTO, "{\"int\":\"-9223372036854775808\"}");
}
END_TEST

START_TEST(test_number_and_string_mode)
{
	check_int(INT64_MIN, INT64_NUMBER, "-9223372036854775808");
	check_int(INT64_MAX, INT64_NUMBER, "9223372036854775807");
	check_int(1, INT64_NUMBER, "1");
	check_int(1, INT64_STRING, "{\"int\":\"1\"}");
	check_int(INT64_MIN, INT64_STRING, "{\"int\":\"-9223372036854775808\"}");
}
END_TEST

START_TEST(test_integers_of_every_length)
{
	char want[32];
	uint64_t v = 1;
	int i, off;

	for (i = 0; i < 19; i++, v *= 10) {
		for (off = -1; off <= 1; off++) {
			(void)snprintf(want, sizeof want, "%" PRId64, (int64_t)v + off);
			check_int((int64_t)v + off, INT64_NUMBER, want);
			(void)snprintf(want, sizeof want, "%" PRId64, -(int64_t)v + off);
			check_int(-(int64_t)v + off, INT64_NUMBER, want);
		}
	}
}
END_TEST

START_TEST(test_reals_as_text)
{
	static const struct {
		double v;
		const char *want;
	} cases[] = {
		{1.0, "1.0"},
		{-1.0, "-1.0"},
		{0.0, "0.0"},
		{-0.0, "-0.0"},
		{100.0, "100.0"},
		{12.34, "12.34"},
		{-0.05, "-0.05"},
		{1.000001, "1.000001"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1e308, "1e+308"},
		{-1e15, "-1e+15"},
		{123456789012345.0, "123456789012345.0"},
		{9007199254740993.0, "9007199254740992.0"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{5e-324, "5e-324"},
		{1e-7, "1e-07"},
	};
	struct buf b = {0};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		value_write_real(&b, cases[i].v);
		ck_buf(&b, cases[i].want);
	}
	value_write_real(&b, (double)INFINITY);
	ck_buf(&b, "{\"real\":\"inf\"}");
	value_write_real(&b, (double)-INFINITY);
	ck_buf(&b, "{\"real\":\"-inf\"}");
	value_write_real(&b, (double)NAN);
	ck_buf(&b, "null");
	buf_free(&b);
}
END_TEST

/* Same bits back, marked as REAL, accepted as JSON. */
static void check_real(struct buf *b, double v)
{
	double back;
	const char *text;

	buf_reset(b, 1 << 20);
	value_write_real(b, v);
	text = buf_cstr(b);
	back = strtod(text, NULL);
	ck_assert_msg(memcmp(&back, &v, sizeof v) == 0, "%a came back as %a by %s", v, back, text);
	ck_assert_msg(strpbrk(text, ".e") != NULL, "%s looks like an integer", text);
}

START_TEST(test_random_bit_patterns_come_back)
{
	uint64_t state = 0x9E3779B97F4A7C15;
	struct buf b = {0};
	uint64_t bits;
	double v;
	int i;

	for (i = 0; i < RANDOM_DOUBLES; i++) {
		bits = next_random(&state);
		memcpy(&v, &bits, sizeof v);
		if (isfinite(v))
			check_real(&b, v);
	}
	buf_free(&b);
}
END_TEST

/* Decimals as people write them, and their neighbours: the fast path and its edges. */
START_TEST(test_decimals_and_their_neighbours_come_back)
{
	uint64_t state = 42;
	struct buf b = {0};
	double v;
	int i;

	for (i = 0; i < RANDOM_DOUBLES / 4; i++) {
		v = (double)(int64_t)(next_random(&state) % 2000000000000) - 1e12;
		v /= pow(10, (double)(i % 9));
		check_real(&b, v);
		check_real(&b, nextafter(v, (double)INFINITY));
		check_real(&b, nextafter(v, 0));
		check_real(&b, v / 1e-9);
	}
	buf_free(&b);
}
END_TEST

/* The fast path must not write more digits than needed. */
START_TEST(test_decimals_are_shortest)
{
	char want[64];
	struct buf b = {0};
	int i;

	for (i = 1; i < 1000000; i += 37) {
		(void)snprintf(want, sizeof want, "%.15g", i / 1000.0);
		if (strchr(want, '.') == NULL)
			strncat(want, ".0", 3);
		value_write_real(&b, i / 1000.0);
		ck_buf(&b, want);
	}
	buf_free(&b);
}
END_TEST

START_TEST(test_each_type_by_value_write)
{
	struct value v = {.type = VALUE_NULL};
	struct buf b = {0};

	value_write(&b, &v, INT64_AUTO);
	ck_buf(&b, "null");
	v = (struct value){.type = VALUE_INT, .i = 7};
	value_write(&b, &v, INT64_STRING);
	ck_buf(&b, "{\"int\":\"7\"}");
	v = (struct value){.type = VALUE_REAL, .r = 2.5};
	value_write(&b, &v, INT64_STRING);
	ck_buf(&b, "2.5");
	v = (struct value){.type = VALUE_TEXT, .s = {"a\0b", 3}};
	value_write(&b, &v, INT64_AUTO);
	ck_buf(&b, "\"a\\u0000b\"");
	v = (struct value){.type = VALUE_BLOB, .s = {"\0\xFF", 2}};
	value_write(&b, &v, INT64_AUTO);
	ck_buf(&b, "{\"blob\":\"AP8=\"}");
	v = (struct value){.type = VALUE_BLOB, .s = {"", 0}};
	value_write(&b, &v, INT64_AUTO);
	ck_buf(&b, "{\"blob\":\"\"}");
	buf_free(&b);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("value");

	tcase_add_test(tc, test_integers_beyond_53_bits_are_escaped_in_auto_mode);
	tcase_add_test(tc, test_number_and_string_mode);
	tcase_add_test(tc, test_integers_of_every_length);
	tcase_add_test(tc, test_reals_as_text);
	tcase_add_test(tc, test_random_bit_patterns_come_back);
	tcase_add_test(tc, test_decimals_and_their_neighbours_come_back);
	tcase_add_test(tc, test_decimals_are_shortest);
	tcase_add_test(tc, test_each_type_by_value_write);
	return run_case(tc);
}
