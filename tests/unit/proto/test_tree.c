/* The quick reader beside jansson: what it takes, what it does not, and that both see the same. */
#include "proto/tree.h"

#include "proto/load.h"
#include "proto/scan.h"
#include "tests/unit/proto/proto_test.h"

#define NODES 64

/* Reads both ways, each block exactly as large as promised; returns whether the quick reader took it. */
static bool compare(const char *text, size_t len)
{
	struct node quick[NODES], slow[NODES];
	struct loaded *loaded = NULL;
	struct error err = {0};
	size_t values = 0, i;
	char *block = malloc(len + 1), *line = malloc(len + 1);
	struct arena arena = {.front = block, .back = block + len + 1};
	bool took;
	int rc;

	ck_assert(block != NULL && line != NULL);
	memcpy(line, text, len);
	ck_assert_int_eq(scan_line(line, len, &values, &err), 0);
	ck_assert_uint_le(values, NODES);
	took = tree_read(line, len, quick, values, &arena);
	rc = load_tree(line, len, slow, values, &loaded, &err);
	ck_assert_msg(took == (rc == 0), "%.*s: taken %d, jansson: %s", (int)len, text, took, err.message);
	for (i = 0; took && i < values; i++) {
		ck_assert_int_eq(quick[i].type, slow[i].type);
		ck_assert_uint_eq(quick[i].nodes, slow[i].nodes);
		ck_assert_uint_eq(quick[i].count, slow[i].count);
		ck_assert_pstr_eq(quick[i].key, slow[i].key);
		if (quick[i].type == NODE_STRING) {
			ck_assert_uint_eq(quick[i].s.n, slow[i].s.n);
			ck_assert_int_eq(memcmp(quick[i].s.p, slow[i].s.p, slow[i].s.n + 1), 0);
		} else if (quick[i].type == NODE_INT) {
			ck_assert_int_eq(quick[i].i, slow[i].i);
		} else if (quick[i].type == NODE_REAL) {
			ck_assert_int_eq(memcmp(&quick[i].r, &slow[i].r, sizeof quick[i].r), 0);
		} else if (quick[i].type == NODE_BOOL) {
			ck_assert_int_eq(quick[i].b, slow[i].b);
		}
	}
	load_free(loaded);
	error_clear(&err);
	free(line);
	free(block);
	return took;
}

/* More than are looked at one by one; the first of them has members of its own. */
#define MANY_KEYS                                                                                                      \
	"{\"a\":{\"b\":1,\"c\":2},\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,"                    \
	"\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"rr\":1,"

static const char *const taken[] = {
	"{}",
	" { } ",
	"{\"a\":1}",
	"{ \"a\" : [ 1 , 2 , [ ] , { } ] ,\t\"b\" : { \"c\" : null } }\r",
	"[true,false,null,0,-0,-1,9223372036854775807,-9223372036854775808]",
	"[0.5,-0.0,1e5,1E+5,1e-400,1.7976931348623157e308,123456789012345678.9]",
	"[\"\",\"a\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u0000\\u001f\\u00e9\\u20AC\\ud83d\\uDE00\"]",
	"[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 and a text of some length, \\\\ with \xC3\xA9\"]",
	"[0.100000000000000000000000000000000000000000000000000000000000000000000000000000000000001]",
	MANY_KEYS "\"r\":1}",
	MANY_KEYS "\"cc\":[{\"a\":1}]}",
	"7",
	"\"x\"",
};

static const char *const refused[] = {
	"",
	" ",
	"{",
	"}",
	"[",
	"]",
	"{]",
	"[}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,}",
	"{a:1}",
	"{\"a\":1 \"b\":2}",
	"[1,]",
	"[,1]",
	"[1 2]",
	"[1]]",
	"{}{}",
	"{\"a\":1,\"a\":2}",
	"{\"a\":1,\"\\u0061\":2}",
	"{\"a\\u0000\":1}",
	"[01]",
	"[-]",
	"[+1]",
	"[1.]",
	"[.5]",
	"[1e]",
	"[1e+]",
	"[1e400]",
	"[-1e400]",
	"[9223372036854775808]",
	"[-9223372036854775809]",
	"[18446744073709551616]",
	"[99999999999999999999]",
	"[0x1]",
	"[tru]",
	"[truex]",
	"[nul]",
	"[True]",
	"[NaN]",
	"[Infinity]",
	"[\"]",
	"[\"a]",
	"[\"\\\"]",
	"\"",
	"\"\\",
	"[\"\\x\"]",
	"[\"\\u12\"]",
	"[\"\\u12g4\"]",
	"[\"\\ud800\"]",
	"[\"\\ud800\\u0041\"]",
	"[\"\\ud800x\"]",
	"[\"\\udc00\"]",
	"[\"\\u\"]",
	"[\"\n\"]",
	"[\"\x01\"]",
	"[\"\x1f\"]",
	"[\"\xFF\"]",
	"[\"\xC3\"]",
	"[\"\xC0\x80\"]",
	"[\"\xED\xA0\x80\"]",
	"[\"\xF4\x90\x80\x80\"]",
	"\xEF\xBB\xBF{}",
	"['a']",
	"{}x",
	"[1]\v",
	MANY_KEYS "\"c\":1}",
	MANY_KEYS "\"rr\":1}",
};

START_TEST(test_what_is_taken_is_read_as_jansson_reads_it)
{
	ck_assert_msg(compare(taken[_i], strlen(taken[_i])), "%s was refused", taken[_i]);
}
END_TEST

START_TEST(test_what_jansson_refuses_is_refused)
{
	ck_assert_msg(!compare(refused[_i], strlen(refused[_i])), "%s was taken", refused[_i]);
}
END_TEST

START_TEST(test_a_nul_byte_is_refused)
{
	ck_assert(!compare("{}\0", 3));
	ck_assert(!compare("[1\0]", 4));
	ck_assert(!compare("[\"a\0\"]", 6));
}
END_TEST

/* Each byte of a line exchanged for each other byte: whatever it becomes, the two readers do not disagree. */
START_TEST(test_every_single_byte_change)
{
	static const char line[] = "{\"id\":12,\"p\":{\"s\":\"a\\u00e9\\n\xC3\xA9\",\"b\":[1.5e3,-7,true,null]}}";
	char text[sizeof line];
	size_t at;
	int c;

	for (at = 0; at < sizeof line - 1; at++) {
		memcpy(text, line, sizeof line);
		for (c = 0; c < 256; c++) {
			text[at] = (char)c;
			(void)compare(text, sizeof line - 1);
		}
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("tree");

	tcase_add_loop_test(tc, test_what_is_taken_is_read_as_jansson_reads_it, 0, sizeof taken / sizeof *taken);
	tcase_add_loop_test(tc, test_what_jansson_refuses_is_refused, 0, sizeof refused / sizeof *refused);
	tcase_add_test(tc, test_a_nul_byte_is_refused);
	tcase_add_test(tc, test_every_single_byte_change);
	return run_case(tc);
}
