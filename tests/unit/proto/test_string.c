/* Text: escapes, and UTF-8 told from what only looks like it - each sequence of up to four bytes at the edges. */
#include "proto/doc.h"
#include "proto/value.h"
#include "tests/unit/proto/proto_test.h"

/* Well-formed or not, by the definition and not by the table: decode, then compare with what is allowed. */
static bool reference_valid(const unsigned char *p, size_t n)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t i = 0, k, length;
	uint32_t c;

	while (i < n) {
		if (p[i] < 0x80) {
			i++;
			continue;
		}
		length = (p[i] & 0xE0) == 0xC0 ? 2 : (p[i] & 0xF0) == 0xE0 ? 3 : (p[i] & 0xF8) == 0xF0 ? 4 : 0;
		if (length == 0 || n - i < length)
			return false;
		c = p[i] & (0x7Fu >> length);
		for (k = 1; k < length; k++) {
			if ((p[i + k] & 0xC0) != 0x80)
				return false;
			c = c << 6 | (p[i + k] & 0x3F);
		}
		if (c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
			return false;
		i += length;
	}
	return true;
}

/* The writers agree with the validator; valid text reads back as the same bytes. */
static void check_text(const char *p, size_t n)
{
	struct buf b = {0};
	struct doc *doc = NULL;
	struct error err = {0};
	bool valid = reference_valid((const unsigned char *)p, n);

	ck_assert_int_eq(utf8_valid(p, n), valid);
	value_write_text(&b, p, n);
	ck_assert_int_eq(b.data[0], valid ? '"' : '{');
	if (valid) {
		ck_assert_int_eq(doc_parse(b.data, b.len, &doc, &err), 0);
		ck_assert_uint_eq(doc_strlen(doc_root(doc)), n);
		ck_assert_int_eq(memcmp(doc_str(doc_root(doc), ""), p, n), 0);
		doc_free(doc);
	} else {
		ck_assert_int_eq(memcmp(b.data, "{\"text\":\"", 9), 0);
	}
	buf_reset(&b, 1 << 20);
	json_write_string(&b, p, n);
	ck_assert(utf8_valid(b.data, b.len));
	buf_free(&b);
}

START_TEST(test_all_one_and_two_byte_texts)
{
	char text[2];
	int a, b;

	for (a = 0; a < 256; a++) {
		text[0] = (char)a;
		check_text(text, 1);
		for (b = 0; b < 256; b++) {
			text[1] = (char)b;
			check_text(text, 2);
		}
	}
}
END_TEST

START_TEST(test_all_lead_bytes_with_edge_followers)
{
	static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
	const size_t n = sizeof edges;
	unsigned char text[4];
	size_t a, b, c, lead;

	for (lead = 0xC0; lead < 0x100; lead++) {
		for (a = 0; a < n; a++) {
			for (b = 0; b < n; b++) {
				for (c = 0; c < n; c++) {
					text[0] = (unsigned char)lead;
					text[1] = edges[a];
					text[2] = edges[b];
					text[3] = edges[c];
					check_text((char *)text, 4);
				}
				check_text((char *)text, 3);
			}
		}
	}
}
END_TEST

/* A special byte at every place of texts around the eight-byte steps, in a block of exactly that size. */
START_TEST(test_special_bytes_at_every_place)
{
	static const char specials[] = {'"', '\\', '\n', '\0', 0x1F, 0x7F, (char)0x80, (char)0xFF, (char)0xC3};
	size_t n, at, i;
	char *text;

	for (n = 1; n <= 40; n++) {
		text = malloc(n);
		ck_assert_ptr_nonnull(text);
		for (at = 0; at < n; at++) {
			for (i = 0; i < sizeof specials; i++) {
				memset(text, 'x', n);
				text[at] = specials[i];
				check_text(text, n);
			}
		}
		free(text);
	}
}
END_TEST

START_TEST(test_escapes_as_written)
{
	struct buf b = {0};

	value_write_text(&b, "\"\\/\b\f\n\r\t\x01\x1f\x7f\0", 12);
	ck_buf(&b, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000\"");
	value_write_text(&b, "\xE2\x80\xA8\xEF\xBF\xBF\xF0\x9F\x98\x80", 10);
	ck_buf(&b, "\"\xE2\x80\xA8\xEF\xBF\xBF\xF0\x9F\x98\x80\"");
	value_write_text(&b, "", 0);
	ck_buf(&b, "\"\"");
	value_write_text(&b,
			 "\xFF"
			 "A",
			 2);
	ck_buf(&b, "{\"text\":\"/0E=\"}");
	/* What was written before the bad byte is taken back; what stood before the value is not. */
	buf_puts(&b, "[1,");
	value_write_text(&b, "long enough\n\xC3", 13);
	ck_buf(&b, "[1,{\"text\":\"bG9uZyBlbm91Z2gKww==\"}");
	json_write_string(&b, "a\xFF\xC3z", 4);
	ck_buf(&b, "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\"");
	buf_free(&b);
}
END_TEST

START_TEST(test_base64_of_every_length_comes_back)
{
	unsigned char bytes[300], back[300];
	struct buf b = {0};
	size_t n, i;

	for (n = 0; n <= sizeof bytes; n++) {
		for (i = 0; i < n; i++)
			bytes[i] = (unsigned char)(i * 167 + n);
		base64_write(&b, bytes, n);
		ck_assert_uint_eq(b.len, (n + 2) / 3 * 4);
		ck_assert_int_eq(base64_decode(b.data, b.len, back), (long)n);
		ck_assert_int_eq(memcmp(back, bytes, n), 0);
		buf_reset(&b, 1 << 20);
	}
	base64_write(&b, "\0\xFF", 2);
	ck_buf(&b, "AP8=");
	buf_free(&b);
}
END_TEST

START_TEST(test_base64_is_strict)
{
	static const char *const bad[] = {
		"A",     "AA",   "AAA",  "AAAAA", "A===", "====",     "=AAA",     "AA=A",      "@@@@",
		"AP8\n", "AP 8", "AB==", "AAB=",  "AP-_", "AA==AAAA", "AAA=AAA=", "\xC3\xA9=="};
	char out[32];
	char c[5] = "AAA";
	size_t i;
	int k;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(base64_decode(bad[i], strlen(bad[i]), out) == -1, "%s was taken", bad[i]);
	ck_assert_int_eq(base64_decode("", 0, out), 0);
	for (k = 0; k < 256; k++) {
		c[3] = (char)k;
		ck_assert_int_eq(base64_decode(c, 4, out) == 3,
				 k != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
						  k) != NULL);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("string");

	tcase_add_test(tc, test_all_one_and_two_byte_texts);
	tcase_add_test(tc, test_all_lead_bytes_with_edge_followers);
	tcase_add_test(tc, test_special_bytes_at_every_place);
	tcase_add_test(tc, test_escapes_as_written);
	tcase_add_test(tc, test_base64_of_every_length_comes_back);
	tcase_add_test(tc, test_base64_is_strict);
	return run_case(tc);
}
