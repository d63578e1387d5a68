/* A job as one line, and numbers for people. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/progress.c"
#include "client/ctl/text.c"
#include "tests/unit/run_suite.h"

static void check_line(const char *json, int width, const char *want)
{
	struct error err = {0};
	struct buf out = {0};
	struct progress p;
	struct doc *d;

	ck_assert_int_eq(doc_parse(json, strlen(json), &d, &err), 0);
	ck_assert(progress_read(doc_root(d), &p));
	progress_line(&out, &p, width);
	ck_assert_str_eq(buf_cstr(&out), want);
	buf_free(&out);
	doc_free(d);
}

#define COPYING                                                                                                        \
	"{\"id\":\"m7\",\"version\":null,\"table\":\"expenses\",\"state\":\"running\",\"phase\":\"backfilling\","      \
	"\"rows_done\":412000,\"rows_total\":1000000,\"rows_exact\":false,\"percent\":41.2,\"rows_per_s\":58200,"      \
	"\"eta_s\":10,"

START_TEST(a_running_job_shows_all_there_is)
{
	check_line(COPYING "\"throttled\":null}", 0,
		   "m7 alter  copying expenses  [########------------]  41.2%  412k/~1.0M  58k/s  ETA 10s");
	check_line(COPYING "\"throttled\":\"writer wait 31ms > 20ms\"}", 0,
		   "m7 alter  copying expenses  [########------------]  41.2%  412k/~1.0M  58k/s  ETA 10s   "
		   "(throttled: writer wait 31ms > 20ms)");
}
END_TEST

START_TEST(a_versioned_job_is_named_by_its_version)
{
	check_line("{\"id\":\"m7\",\"version\":13,\"name\":\"split_name\",\"table\":\"user\",\"state\":\"running\","
		   "\"phase\":\"verifying\",\"rows_done\":10,\"rows_total\":20,\"rows_exact\":true,\"percent\":50,"
		   "\"rows_per_s\":0,\"eta_s\":null}",
		   0, "13 split_name  verifying user  [##########----------]  50.0%  10/20");
}
END_TEST

START_TEST(percent_stays_below_a_hundred_until_the_job_is_done)
{
	check_line("{\"id\":\"m7\",\"table\":\"t\",\"state\":\"running\",\"phase\":\"swapping\",\"percent\":100.0}", 0,
		   "m7 alter  swapping t  [###################-]  99.9%");
	check_line("{\"id\":\"m7\",\"table\":\"t\",\"state\":\"running\",\"phase\":\"retiring\",\"percent\":250.0}", 0,
		   "m7 alter  emptying the old t  [###################-]  99.9%");
	check_line("{\"id\":\"m7\",\"table\":\"t\",\"state\":\"done\",\"phase\":\"retiring\",\"percent\":99.0}", 0,
		   "m7 alter  done t  [####################]  100.0%");
	check_line("{\"id\":\"m7\",\"table\":\"t\",\"state\":\"running\",\"phase\":\"preparing\",\"percent\":-1}", 0,
		   "m7 alter  preparing t  [--------------------]   0.0%");
}
END_TEST

START_TEST(paused_and_postponed_jobs_say_so)
{
	check_line("{\"id\":\"m7\",\"table\":\"t\",\"state\":\"paused\",\"phase\":\"backfilling\",\"percent\":1,\"eta_"
		   "s\":5}",
		   0, "m7 alter  copying t  [--------------------]   1.0%   (paused)");
	check_line("{\"id\":\"m7\",\"table\":\"t\",\"state\":\"running\",\"phase\":\"ready\",\"percent\":99,"
		   "\"postponed_cutover\":true}",
		   0, "m7 alter  ready to swap t  [###################-]  99.0%   (waiting for alterctl cutover)");
}
END_TEST

START_TEST(a_narrow_terminal_shortens_the_bar_first_then_the_end)
{
	check_line(COPYING "\"throttled\":null}", 75,
		   "m7 alter  copying expenses  [####------]  41.2%  412k/~1.0M  58k/s  ETA 10s");
	check_line(COPYING "\"throttled\":null}", 70, "m7 alter  copying expenses  41.2%  412k/~1.0M  58k/s  ETA 10s");
	check_line(COPYING "\"throttled\":null}", 20, "m7 alter  copying ex");
}
END_TEST

START_TEST(names_cannot_drive_the_terminal)
{
	check_line(
		"{\"id\":\"m7\",\"table\":\"\\u001b[2J\",\"state\":\"queued\",\"phase\":\"preparing\",\"percent\":0}",
		0, "m7 alter  queued \\x1b[2J  [--------------------]   0.0%");
}
END_TEST

START_TEST(no_job_is_no_line)
{
	struct progress p;

	ck_assert(!progress_read(NULL, &p));
}
END_TEST

static void check_text(void (*write)(struct buf *, int64_t), int64_t n, const char *want)
{
	struct buf b = {0};

	write(&b, n);
	ck_assert_str_eq(buf_cstr(&b), want);
	buf_free(&b);
}

static void seconds(struct buf *b, int64_t n) { text_seconds(b, (double)n); }

START_TEST(numbers_are_short_and_never_round_to_another_unit)
{
	check_text(text_count, 0, "0");
	check_text(text_count, 999, "999");
	check_text(text_count, 1000, "1.0k");
	check_text(text_count, 9949, "9.9k");
	check_text(text_count, 58200, "58k");
	check_text(text_count, 999499, "999k");
	check_text(text_count, 999500, "1.0M");
	check_text(text_count, 1000000, "1.0M");
	check_text(text_count, 2500000000, "2.5G");
	check_text(text_number, 0, "0");
	check_text(text_number, 999, "999");
	check_text(text_number, 1000, "1,000");
	check_text(text_number, -1234567, "-1,234,567");
	check_text(text_bytes, 1023, "1023 B");
	check_text(text_bytes, 1024, "1.0 KiB");
	check_text(text_bytes, 73400320, "70.0 MiB");
	check_text(text_bytes, (1 << 20) - 1, "1.0 MiB");
	check_text(seconds, 10, "10s");
	check_text(seconds, 245, "4m 05s");
	check_text(seconds, 8000, "2h 13m");
	check_text(seconds, 90000, "1d 1h");
}
END_TEST

static void check_safe(const char *in, size_t n, const char *want)
{
	struct buf b = {0};

	text_safe(&b, in, n);
	ck_assert_str_eq(buf_cstr(&b), want);
	buf_free(&b);
}

START_TEST(foreign_text_is_made_harmless)
{
	check_safe("plain \xc3\xa9 \xe6\xbc\xa2", 12, "plain \xc3\xa9 \xe6\xbc\xa2");
	check_safe("a\nb\tc\rd", 7, "a\\nb\\tc\\rd");
	check_safe("\033]0;x\007", 6, "\\x1b]0;x\\x07");
	check_safe("\0", 1, "\\x00");
	check_safe("\xc2\x9b"
		   "31m",
		   5, "\\u009b31m");
	check_safe("\xe2\x80\xae", 3, "\\u202e");
	check_safe("\xff\xc3", 2, "\\xff\\xc3");
	check_safe("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
	check_safe("", 0, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("progress");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, a_running_job_shows_all_there_is);
	tcase_add_test(t, a_versioned_job_is_named_by_its_version);
	tcase_add_test(t, percent_stays_below_a_hundred_until_the_job_is_done);
	tcase_add_test(t, paused_and_postponed_jobs_say_so);
	tcase_add_test(t, a_narrow_terminal_shortens_the_bar_first_then_the_end);
	tcase_add_test(t, names_cannot_drive_the_terminal);
	tcase_add_test(t, no_job_is_no_line);
	tcase_add_test(t, numbers_are_short_and_never_round_to_another_unit);
	tcase_add_test(t, foreign_text_is_made_harmless);
	suite_add_tcase(s, t);
	return run_suite(s);
}
