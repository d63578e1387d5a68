/*
 * Requests: any bytes are either read or refused with a coded error; what is read and written again reads back as the
 * same values; and the quick reader takes what jansson takes, and reads it in the same way.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/load.h"
#include "proto/response.h"
#include "proto/scan.h"
#include "proto/tree.h"
#include "proto/value.h"

#define EXPECT(expression)                                                                                             \
	do {                                                                                                           \
		if (!(expression))                                                                                     \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_line(struct buf *out, const struct binds *bind)
{
	size_t i;

	buf_puts(out, "{\"id\":1,\"method\":\"query\",\"params\":{\"sql\":\"S\",\"bind\":");
	buf_putc(out, bind->names != NULL ? '{' : '[');
	for (i = 0; i < bind->n; i++) {
		jw_key(out, bind->names != NULL ? bind->names[i] : NULL);
		value_write(out, &bind->values[i], INT64_AUTO);
	}
	buf_puts(out, bind->names != NULL ? "}}}" : "]}}");
}

static bool same_value(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_INT:
		return a->i == b->i;
	case VALUE_REAL:
		return memcmp(&a->r, &b->r, sizeof a->r) == 0;
	case VALUE_TEXT:
	case VALUE_BLOB:
		return a->s.n == b->s.n && memcmp(a->s.p, b->s.p, a->s.n) == 0 && a->s.p[a->s.n] == '\0';
	}
	return false;
}

static void check_round_trip(const struct binds *bind)
{
	struct request *again = NULL;
	struct error err = {0};
	struct buf line = {0};
	struct reqid id;
	char *id_text;
	bool notification;
	size_t i;

	write_line(&line, bind);
	EXPECT(request_decode(line.data, line.len, &again, &id, &id_text, &notification, &err) == 0);
	EXPECT(again->params.bind.n == bind->n);
	for (i = 0; i < bind->n; i++) {
		EXPECT(same_value(&bind->values[i], &again->params.bind.values[i]));
		if (bind->names != NULL)
			EXPECT(strcmp(bind->names[i], again->params.bind.names[i]) == 0);
	}
	request_free(again);
	buf_free(&line);
}

static bool same_node(const struct node *a, const struct node *b)
{
	if (a->type != b->type || a->nodes != b->nodes || a->count != b->count || a->key_len != b->key_len)
		return false;
	if ((a->key == NULL) != (b->key == NULL) || (a->key != NULL && strcmp(a->key, b->key) != 0))
		return false;
	switch (a->type) {
	case NODE_BOOL:
		return a->b == b->b;
	case NODE_INT:
		return a->i == b->i;
	case NODE_REAL:
		return memcmp(&a->r, &b->r, sizeof a->r) == 0;
	case NODE_STRING:
		return a->s.n == b->s.n && memcmp(a->s.p, b->s.p, a->s.n + 1) == 0;
	case NODE_NULL:
	case NODE_ARRAY:
	case NODE_OBJECT:
		break;
	}
	return true;
}

static void check_readers(const char *line, size_t len)
{
	struct node *quick, *slow;
	struct loaded *loaded = NULL;
	struct error err = {0};
	struct arena arena;
	size_t values = 0, i;
	char *block;
	bool took;

	if (scan_line(line, len, &values, &err) < 0)
		return;
	quick = malloc(values * sizeof *quick + 1);
	slow = malloc(values * sizeof *slow + 1);
	block = malloc(len + 1);
	EXPECT(quick != NULL && slow != NULL && block != NULL);
	arena = (struct arena){.front = block, .back = block + len + 1};
	took = tree_read(line, len, quick, values, &arena);
	EXPECT(took == (load_tree(line, len, slow, values, &loaded, &err) == 0));
	if (took) {
		EXPECT(quick[0].nodes == values);
		for (i = 0; i < values; i++)
			EXPECT(same_node(&quick[i], &slow[i]));
		load_free(loaded);
	}
	error_clear(&err);
	free(block);
	free(slow);
	free(quick);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request *r = NULL;
	struct error err = {0};
	struct buf reply = {0};
	struct reqid id;
	char *id_text;
	bool notification;
	size_t i;

	check_readers((const char *)data, size);
	if (request_decode((const char *)data, size, &r, &id, &id_text, &notification, &err) == 0) {
		EXPECT(r->op < OP_COUNT && r->bytes == size && !error_is_set(&err) && id_text == NULL);
		EXPECT((r->params.present & ~(op_info(r->op)->required | op_info(r->op)->optional)) == 0);
		EXPECT((op_info(r->op)->required & ~r->params.present) == 0);
		check_round_trip(&r->params.bind);
		for (i = 0; i < r->params.nsteps; i++) {
			EXPECT(strlen(r->params.steps[i].sql) == r->params.steps[i].sql_len);
			check_round_trip(&r->params.steps[i].bind);
		}
		request_free(r);
	} else {
		EXPECT(err.code < 0 && err.name != NULL && err.message[0] != '\0');
		EXPECT((id_text != NULL) == (id.kind == REQID_STRING));
		EXPECT(err.code != errc_code(ERRC_INTERNAL));
		response_error(&reply, &id, &err);
		EXPECT(!reply.failed && memchr(reply.data, '\n', reply.len) == reply.data + reply.len - 1);
		EXPECT(utf8_valid(reply.data, reply.len));
	}
	free(id_text);
	error_clear(&err);
	buf_free(&reply);
	return 0;
}
