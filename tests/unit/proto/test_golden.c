/*
 * tests/golden/proto: in each folder request.txt, a line to a request, and expect.txt, a line to what comes of it: the
 * reply to send where it is refused, "-" where a notification is refused and nothing may be sent, else what was read.
 *
 * With ALTERD_GOLDEN_WRITE set the expectations are written anew; read the difference before keeping it.
 */
#include <dirent.h>
#include <stdio.h>

#include "proto/param.h"
#include "proto/response.h"
#include "proto/value.h"
#include "tests/unit/proto/proto_test.h"

#define FOLDER ALTERD_SOURCE_DIR "/tests/golden/proto"

static void write_id(struct buf *out, const struct reqid *id)
{
	jw_key(out, "id");
	if (id->kind == REQID_INT)
		value_write_int(out, id->i, INT64_NUMBER);
	else if (id->kind == REQID_STRING)
		json_write_string(out, id->s, id->len);
	else
		buf_puts(out, "null");
}

static void write_binds(struct buf *out, const struct binds *bind)
{
	size_t i;

	jw_key(out, "bind");
	jw_open(out, bind->names != NULL ? '{' : '[');
	for (i = 0; i < bind->n; i++) {
		jw_key(out, bind->names != NULL ? bind->names[i] : NULL);
		value_write(out, &bind->values[i], INT64_AUTO);
	}
	jw_close(out, bind->names != NULL ? '}' : ']');
}

static void write_steps(struct buf *out, const struct params *p)
{
	size_t i;

	jw_key(out, "statements");
	jw_open(out, '[');
	for (i = 0; i < p->nsteps; i++) {
		jw_open(out, '{');
		jw_str(out, "sql", p->steps[i].sql);
		write_binds(out, &p->steps[i].bind);
		jw_int(out, "expect_changes", p->steps[i].expect_changes);
		jw_close(out, '}');
	}
	jw_close(out, ']');
}

static void write_files(struct buf *out, const struct params *p)
{
	jw_key(out, "files");
	jw_open(out, '[');
	for (size_t i = 0; i < p->nfiles; i++) {
		ck_assert_uint_eq(strlen(p->files[i].sql), p->files[i].sql_len);
		jw_open(out, '{');
		jw_str(out, "name", p->files[i].name);
		jw_str(out, "sql", p->files[i].sql);
		jw_close(out, '}');
	}
	jw_close(out, ']');
}

static void write_param(struct buf *out, const struct params *p, enum param which)
{
	switch (which) {
	case PARAM_SQL:
		ck_assert_uint_eq(strlen(p->sql), p->sql_len);
		jw_str(out, "sql", p->sql);
		break;
	case PARAM_SCRIPT:
		ck_assert_uint_eq(strlen(p->script), p->script_len);
		jw_str(out, "script", p->script);
		break;
	case PARAM_BIND:
		write_binds(out, &p->bind);
		break;
	case PARAM_STATEMENTS:
		write_steps(out, p);
		break;
	case PARAM_PAGE_ROWS:
		jw_int(out, "page_rows", p->page_rows);
		break;
	case PARAM_TIMEOUT_MS:
		jw_int(out, "timeout_ms", p->timeout_ms);
		break;
	case PARAM_WANT:
		jw_bool(out, "want_types", p->want_types);
		break;
	case PARAM_MODE:
		jw_str(out, "mode", p->mode);
		break;
	case PARAM_WAIT_MS:
		jw_int(out, "wait_ms", p->wait_ms);
		break;
	case PARAM_MAX_MS:
		jw_int(out, "max_ms", p->max_ms);
		break;
	case PARAM_CURSOR:
		jw_str(out, "cursor", p->cursor);
		break;
	case PARAM_ID:
		write_id(out, &p->id);
		break;
	case PARAM_SESSION:
		jw_str(out, "session", p->session);
		break;
	case PARAM_PROTOCOL:
		jw_int(out, "protocol_min", p->protocol_min);
		jw_int(out, "protocol_max", p->protocol_max);
		break;
	case PARAM_CLIENT:
		jw_str(out, "client", p->client);
		break;
	case PARAM_INT64:
		jw_int(out, "int64", (int64_t)p->int64);
		break;
	case PARAM_READONLY:
		jw_bool(out, "readonly", p->readonly);
		break;
	case PARAM_EXPECT_VERSION:
		jw_int(out, "expect_version", p->expect_version);
		break;
	case PARAM_TABLE:
		jw_str(out, "table", p->table);
		break;
	case PARAM_JOB:
		jw_str(out, "job", p->job);
		break;
	case PARAM_WAIT:
		jw_bool(out, "wait", p->wait);
		break;
	case PARAM_ALLOW_DATA_LOSS:
		jw_bool(out, "allow_data_loss", p->allow_data_loss);
		break;
	case PARAM_POSTPONE_CUTOVER:
		jw_bool(out, "postpone_cutover", p->postpone_cutover);
		break;
	case PARAM_BATCH_ROWS:
		jw_int(out, "batch_rows", p->batch_rows);
		break;
	case PARAM_DUTY_PERCENT:
		jw_int(out, "duty_percent", p->duty_percent);
		break;
	case PARAM_TO:
		jw_int(out, "to", p->to);
		break;
	case PARAM_STEPS:
		jw_int(out, "steps", p->nsteps_asked);
		break;
	case PARAM_FILES:
		write_files(out, p);
		break;
	case PARAM_SCHEMA:
		jw_key(out, "schema");
		jw_open(out, '{');
		jw_str(out, "name", p->schema.name);
		jw_str(out, "sql", p->schema.sql);
		jw_close(out, '}');
		break;
	case PARAM_FORMAT:
		jw_str(out, "format", p->format);
		break;
	case PARAM_ALLOW_OUT_OF_ORDER:
		jw_bool(out, "allow_out_of_order", p->allow_out_of_order);
		break;
	case PARAM_VERSION:
		jw_int(out, "version", p->version);
		break;
	case PARAM_FROM:
		jw_str(out, "from", p->from);
		break;
	case PARAM_APPLIED:
		jw_bool(out, "applied", p->applied);
		break;
	case PARAM_TRY:
		jw_bool(out, "try", p->rehearse);
		break;
	case PARAM_DRY_RUN:
		jw_bool(out, "dry_run", p->dry_run);
		break;
	case PARAM_NAME:
		jw_str(out, "name", p->name);
		break;
	case PARAM_CHECK:
		jw_bool(out, "check", p->check);
		break;
	case PARAM_QUICK:
		jw_bool(out, "quick", p->quick);
		break;
	case PARAM_WHOLE:
		jw_bool(out, "whole", p->whole);
		break;
	case PARAM_OFFSET:
		jw_int(out, "offset", p->offset);
		break;
	case PARAM_BY:
		jw_str(out, "by", p->by);
		break;
	case PARAM_LIMIT:
		jw_int(out, "limit", p->limit);
		break;
	case PARAM_SIZE:
		jw_int(out, "size", p->size);
		break;
	case PARAM_TOPICS:
		jw_int(out, "topics", p->topics);
		break;
	case PARAM_TABLES:
		jw_key(out, "tables");
		jw_open(out, '[');
		for (size_t i = 0; i < p->ntables; i++)
			jw_str(out, NULL, p->tables[i]);
		jw_close(out, ']');
		break;
	case PARAM_SUBSCRIPTION:
		jw_str(out, "subscription", p->subscription);
		break;
	case PARAM_COUNT:
		break;
	}
}

static void write_request(struct buf *out, const struct request *r)
{
	unsigned i;

	jw_open(out, '{');
	jw_str(out, "op", op_info(r->op)->name);
	write_id(out, &r->id);
	jw_key(out, "params");
	jw_open(out, '{');
	for (i = 0; i < PARAM_COUNT; i++) {
		if (params_has(&r->params, (enum param)i))
			write_param(out, &r->params, (enum param)i);
	}
	jw_close(out, '}');
	jw_close(out, '}');
	buf_putc(out, '\n');
}

static void answer(struct buf *out, const char *line, size_t n)
{
	struct decoded d;

	decode_bytes_of(&d, line, n);
	if (d.rc == 0)
		write_request(out, d.request);
	else if (d.notification)
		buf_puts(out, "-\n");
	else
		response_error(out, &d.id, &d.err);
	decoded_free(&d);
}

static void path_of(struct buf *ret, const char *name, const char *file)
{
	buf_reset(ret, 1 << 20);
	buf_printf(ret, "%s/%s/%s", FOLDER, name, file);
}

/* Compares line by line, so that a failure shows the one line. */
static void compare(const char *name, struct buf *got, const char *path)
{
	FILE *f = fopen(path, "r");
	const char *at = buf_cstr(got);
	char *line = NULL;
	size_t cap = 0, row = 0;
	ssize_t n;

	ck_assert_msg(f != NULL, "%s is missing", path);
	while ((n = getline(&line, &cap, f)) > 0) {
		row++;
		ck_assert_msg(strncmp(at, line, (size_t)n) == 0, "%s line %zu: expected %snot %.*s", name, row, line,
			      (int)strcspn(at, "\n"), at);
		at += n;
	}
	ck_assert_msg(*at == '\0', "%s: more lines than expected: %s", name, at);
	ck_assert_int_eq(fclose(f), 0);
	free(line);
}

static void run_folder(const char *name)
{
	struct buf out = {0}, path = {0};
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	FILE *f;

	path_of(&path, name, "request.txt");
	f = fopen(buf_cstr(&path), "r");
	ck_assert_msg(f != NULL, "%s is missing", buf_cstr(&path));
	while ((n = getline(&line, &cap, f)) > 0)
		answer(&out, line, (size_t)n - (line[n - 1] == '\n'));
	ck_assert_int_eq(fclose(f), 0);
	free(line);
	path_of(&path, name, "expect.txt");
	if (getenv("ALTERD_GOLDEN_WRITE") != NULL) {
		f = fopen(buf_cstr(&path), "w");
		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(fwrite(out.data, 1, out.len, f), out.len);
		ck_assert_int_eq(fclose(f), 0);
	}
	compare(name, &out, buf_cstr(&path));
	buf_free(&out);
	buf_free(&path);
}

START_TEST(test_requests_come_out_as_the_golden_files_say)
{
	struct dirent **names = NULL;
	int n = scandir(FOLDER, &names, NULL, alphasort), i, ran = 0;

	ck_assert_int_gt(n, 0);
	for (i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			run_folder(names[i]->d_name);
			ran++;
		}
		free(names[i]);
	}
	free(names);
	ck_assert_int_ge(ran, 5);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("golden");

	tcase_add_test(tc, test_requests_come_out_as_the_golden_files_say);
	return run_case(tc);
}
