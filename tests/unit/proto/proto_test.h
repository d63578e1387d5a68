/* What the suites of this room share: running one case, looking at a buffer, decoding a line. */
#ifndef ALTERD_TESTS_PROTO_TEST_H
#define ALTERD_TESTS_PROTO_TEST_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/request.h"
#include "tests/unit/run_suite.h"

#define TEST_SECONDS 60

static inline int run_case(TCase *tc)
{
	Suite *suite = suite_create("proto");

	tcase_set_timeout(tc, TEST_SECONDS);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}

/* Compares the content and empties the buffer. */
#define ck_buf(b, text)                                                                                                \
	do {                                                                                                           \
		ck_assert(!(b)->failed);                                                                               \
		ck_assert_str_eq(buf_cstr(b), text);                                                                   \
		buf_reset(b, 1 << 20);                                                                                 \
	} while (0)

/* One decoded line and all that came out of it. */
struct decoded {
	struct request *request;
	struct reqid id;
	char *id_text;
	bool notification;
	struct error err;
	int rc;
};

/* The bytes are handed over in a block of exactly their size, so that ASan sees a look behind them. */
static inline void decode_bytes_of(struct decoded *d, const char *line, size_t n)
{
	char *exact = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, line, n);
	*d = (struct decoded){0};
	d->rc = request_decode(exact, n, &d->request, &d->id, &d->id_text, &d->notification, &d->err);
	free(exact);
}

static inline void decode(struct decoded *d, const char *line) { decode_bytes_of(d, line, strlen(line)); }

static inline void decoded_free(struct decoded *d)
{
	request_free(d->request);
	free(d->id_text);
	error_clear(&d->err);
}

#endif
