/* status and its --watch as text: what is left out where there is little room, bars and graphs, exit codes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/graph.c"
#include "client/ctl/progress.c"
#include "client/ctl/status_list.c"
#include "client/ctl/status_text.c"
#include "client/ctl/text.c"
#include "client/ctl/watch_view.c"
#include "tests/unit/run_suite.h"

#define STATUS                                                                                                         \
	"{\"server\":\"alterd/1\",\"uptime_s\":75,\"database\":\"/var/lib/alterd/app.db\",\"state\":\"running\","      \
	"\"version\":12,\"pending\":[13,14],\"problems\":[],\"sessions\":5,\"wal_bytes\":2048,\"db_bytes\":4096,"      \
	"\"writer\":{\"queue\":3,\"wait_ms\":{\"p50\":9,\"p99\":9,\"max\":9},"                                         \
	"\"wait_ms_10s\":{\"p50\":0.5,\"p99\":2,\"max\":30}},\"job\":"
#define RUNNING                                                                                                        \
	"{\"id\":\"m7\",\"version\":13,\"name\":\"split_name\",\"table\":\"user\",\"state\":\"running\","              \
	"\"phase\":\"backfilling\",\"rows_done\":412000,\"rows_total\":1000000,\"rows_exact\":false,\"percent\":41.2," \
	"\"rows_per_s\":58200,\"eta_s\":10,\"throttled\":null,\"elapsed_s\":7,\"batch_rows\":500,\"duty_percent\":60," \
	"\"changes_applied\":381}}"
#define RECENT                                                                                                         \
	"{\"seconds\":4,\"statements_per_s\":[0,100,1410,1203],\"errors_per_s\":[0,0,0,0],\"waiting_ms\":0,"           \
	"\"writer_wait_ms\":{\"p50\":[0,0.1,0.2,0.1],\"p99\":[0,1,4,2],\"max\":[0,8,31,16]},"                          \
	"\"query_ms\":{\"p50\":[0,0,0,0],\"p99\":[0,0,0,0],\"max\":[0,0,0,0]}}"

static struct doc *status, *recent;
static struct buf out;
static struct watch_view view;

/* No terminal is asked here. */
void *must(void *p)
{
	ck_assert_ptr_nonnull(p);
	return p;
}

static struct doc *parse(const char *json)
{
	struct error err = {0};
	struct doc *d = NULL;

	ck_assert_int_eq(doc_parse(json, strlen(json), &d, &err), 0);
	return d;
}

static void set_up(void)
{
	status = parse(STATUS RUNNING);
	recent = parse(RECENT);
	out = (struct buf){0};
	view = (struct watch_view){.status = doc_root(status),
				   .recent = doc_root(recent),
				   .socket = "/s",
				   .keys = true,
				   .may_control = true,
				   .interval_s = 1};
}

static void tear_down(void)
{
	doc_free(status);
	doc_free(recent);
	buf_free(&out);
}

static const char *screen(int rows, int columns)
{
	buf_reset(&out, 65536);
	watch_screen(&out, &view, rows, columns);
	return buf_cstr(&out);
}

START_TEST(a_screen_has_all_there_is)
{
	ck_assert_str_eq(screen(18, 80),
			 "alterd  /var/lib/alterd/app.db   version 12   pending 2\n"
			 "running   up 1m 15s   sessions 5   alterd/1\n"
			 "\n"
			 "13 split_name  copying user\n"
			 "[############################------------------------------------------]  41.2%\n"
			 "412k/~1.0M rows   58k rows/s   ETA 10s   7s so far\n"
			 "\n"
			 "changes applied 381   rows a batch 500   duty 60%\n"
			 "\n"
			 "clients              now       peak  the last minute\n"
			 "statements/s       1,203      1,410                                         _.#*\n"
			 "errors/s               0          0                                         ____\n"
			 "wait p50          0.1 ms     0.2 ms                                         _=#=\n"
			 "wait p99          2.0 ms     4.0 ms                                         _:#=\n"
			 "wait longest     16.0 ms    31.0 ms                                         _:#=\n"
			 "reads p99         0.0 ms     0.0 ms                                         ____\n"
			 "queue 3   wal 2.0 KiB   db 4.0 KiB\n"
			 "q quit  p pause   every 1 s");
}
END_TEST

START_TEST(few_rows_keep_what_tells_most)
{
	ck_assert_str_eq(screen(8, 40), "alterd  app.db   version 12   pending 2\n"
					"13 split_name  copying user\n"
					"[############------------------]  41.2%\n"
					"412k/~1.0M  58k/s  ETA 10s  7s so far\n"
					"statements/s       1,203            _.#*\n"
					"wait p99          2.0 ms            _:#=\n"
					"wait longest     16.0 ms            _:#=\n"
					"q quit  p pause   every 1 s");
	ck_assert_str_eq(screen(1, 40), "alterd  app.db   version 12   pending 2");
	for (int rows = 1; rows < 30; rows++) {
		for (int columns = 1; columns < 100; columns += 3) {
			int lines = 1;

			for (const char *p = screen(rows, columns), *end; *p; p = *end ? end + 1 : end) {
				end = strchrnul(p, '\n');
				ck_assert_int_le(text_width(p, (size_t)(end - p)), columns);
				lines += *end == '\n';
			}
			ck_assert_int_le(lines, rows);
		}
	}
}
END_TEST

START_TEST(the_foot_says_what_can_be_done)
{
	view.may_control = false;
	ck_assert_ptr_nonnull(strstr(screen(30, 80), "\nq quit   every 1 s"));
	view.keys = false;
	ck_assert_ptr_nonnull(strstr(screen(30, 80), "\nCtrl-C quits   every 1 s"));
	view.question = "Pause 13 split_name?";
	ck_assert_ptr_nonnull(strstr(screen(30, 80), "\nPause 13 split_name?  y/n"));
	view.question = NULL;
	view.lost = "the daemon closed the connection";
	ck_assert_ptr_nonnull(strstr(screen(5, 80), "\nreconnecting ...  the daemon closed the connection\n"));
}
END_TEST

START_TEST(before_there_is_an_answer)
{
	view.status = view.recent = NULL;
	view.lost = "nobody listens there";
	ck_assert_str_eq(screen(4, 60), "alterd  /s   version 0   pending 0\n"
					"reconnecting ...  nobody listens there\n"
					"\n"
					"q quit   every 1 s");
}
END_TEST

START_TEST(a_failure_is_told_in_full)
{
	doc_free(status);
	status = parse(STATUS "{\"id\":\"m1\",\"name\":\"alter\",\"table\":\"big\",\"state\":\"failed\",\"took_ms\":92,"
			      "\"error\":\"5000 rows of big cannot be held by the new table (NOT NULL: row 1)\"}}");
	view.status = doc_root(status);
	view.recent = NULL;
	ck_assert_ptr_nonnull(strstr(screen(12, 40), "\n\nm1 alter  failed  big   took 92ms\n"
						     "5000 rows of big cannot be held by the\n"
						     "new table (NOT NULL: row 1)\n\n"));
	ck_assert_ptr_nonnull(strstr(screen(12, 4), "\n5000\nrows\nof\nbig\n"));
	ck_assert_ptr_nonnull(strstr(screen(12, 3), "\n500\n0\nrow\ns\n"));
}
END_TEST

START_TEST(names_cannot_drive_the_terminal)
{
	doc_free(status);
	status = parse(STATUS "{\"id\":\"m1\",\"name\":\"a\\u001b[2J\",\"table\":\"t\\nx\",\"state\":\"paused\","
			      "\"phase\":\"ready\",\"reason\":\"\\u0007bell\"}}");
	view.status = doc_root(status);
	ck_assert_ptr_null(strchr(screen(24, 80), '\033'));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "m1 a\\x1b[2J"));
	ck_assert_ptr_null(strchr(buf_cstr(&out), '\a'));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "q quit  r resume"));
}
END_TEST

static void check_graph(const char *json, int cells, bool utf8, const char *want)
{
	struct doc *d = parse(json);

	buf_reset(&out, 4096);
	graph_row(&out, doc_root(d), cells, utf8);
	ck_assert_str_eq(buf_cstr(&out), want);
	doc_free(d);
}

START_TEST(graphs)
{
	check_graph("[]", 3, false, "   ");
	check_graph("[0,0]", 3, false, " __");
	check_graph("[1,2,3,4,5,6,7,8]", 8, true, "▂▃▄▅▆▇██");
	check_graph("[8,1,2]", 2, false, "=#");
	/* What there was is to be seen beside anything. */
	check_graph("[0,0.001,1000000]", 3, false, "_.#");
	check_graph("[1]", 0, false, "");
	buf_reset(&out, 4096);
	graph_bar(&out, 50, 12, false);
	graph_bar(&out, 55, 12, true);
	graph_bar(&out, 100, 4, false);
	graph_bar(&out, 50, 2, false);
	ck_assert_str_eq(buf_cstr(&out), "[#####-----][█████▌····][##]");
}
END_TEST

START_TEST(a_status_lists_its_versions)
{
	struct doc *list = parse(
		"{\"version\":12,\"latest\":14,\"problems\":[{\"version\":2,\"state\":\"changed\"}],\"migrations\":["
		"{\"version\":1,\"name\":\"a\",\"state\":\"applied\",\"file\":true},"
		"{\"version\":2,\"name\":\"b\",\"state\":\"applied\",\"file\":true},"
		"{\"version\":3,\"name\":\"c\",\"state\":\"applied\",\"file\":true},"
		"{\"version\":10,\"name\":\"d\",\"state\":\"applied\",\"file\":true,\"took_ms\":17},"
		"{\"version\":11,\"name\":\"e\",\"state\":\"applied\",\"file\":true,\"took_ms\":1200},"
		"{\"version\":12,\"name\":\"add_city\",\"state\":\"applied\",\"file\":true,\"took_ms\":65000,"
		"\"applied_at\":\"2026-02-01T10:00:00Z\"},"
		"{\"version\":13,\"name\":\"split_name\",\"state\":\"pending\"},"
		"{\"version\":14,\"name\":\"drop_legacy\",\"state\":\"pending\"}]}");
	struct doc *plan = parse(
		"{\"steps\":[{\"version\":14,\"strategy\":\"rebuild\",\"table\":\"user\",\"rows\":1000000,"
		"\"destructive\":true,\"reversible\":true}]}");

	ck_assert(status_list(&out, doc_root(list), doc_root(plan), doc_get(doc_root(status), "job"), 0));
	ck_assert_str_eq(buf_cstr(&out), " [!]   2  b                changed\n"
					 " ...  2 before: alterctl list\n"
					 " [X]  10  d              17ms\n"
					 " [X]  11  e              1.2s\n"
					 " [X]  12  add_city     2026-02-01 10:00  1m 05s\n"
					 " [>]  13  split_name   copying user 41.2% (412k/~1.0M)  58k rows/s  ETA 10s\n"
					 " [ ]  14  drop_legacy  rebuild user (~1.0M rows), data loss on up\n");
	buf_reset(&out, 4096);
	status_text(&out, doc_root(status), doc_root(list), doc_root(plan), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "version 12   latest 14   pending 2\n"));
	ck_assert_ptr_nonnull(
		strstr(buf_cstr(&out), "wait in the last 10 s: p50 0.5 ms  p99 2.0 ms  longest 30.0 ms\n"));
	ck_assert_ptr_null(strstr(buf_cstr(&out), "job  "));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "next: alterctl status --watch  |  alterctl pause\n"));
	buf_reset(&out, 4096);
	status_text(&out, doc_root(status), NULL, NULL, 60);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "job       13 split_name  copying user"));
	doc_free(list);
	doc_free(plan);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *cases = tcase_create("watch_view");

	tcase_set_timeout(cases, 30);
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, a_screen_has_all_there_is);
	tcase_add_test(cases, few_rows_keep_what_tells_most);
	tcase_add_test(cases, the_foot_says_what_can_be_done);
	tcase_add_test(cases, before_there_is_an_answer);
	tcase_add_test(cases, a_failure_is_told_in_full);
	tcase_add_test(cases, names_cannot_drive_the_terminal);
	tcase_add_test(cases, graphs);
	tcase_add_test(cases, a_status_lists_its_versions);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
