/* The configuration as a whole: alterd.conf holds every key at its default, relations, reload, dump. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/setting.h"
#include "tests/unit/run_suite.h"

static struct config config, other;
static struct error err;
static struct buf text;

static void set_up(void)
{
	config_init(&config);
	config_init(&other);
	error_init(&err);
	buf_init(&text);
}

static void tear_down(void)
{
	config_free(&config);
	config_free(&other);
	error_clear(&err);
	buf_free(&text);
}

static void set(struct config *c, const char *assignment) { ck_assert_int_eq(config_set(c, assignment, &err), 0); }

static void slurp(const char *path)
{
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	for (;;) {
		char *to = buf_reserve(&text, 4096);
		ck_assert_ptr_nonnull(to);
		size_t got = fread(to, 1, 4096, file);
		if (got == 0)
			break;
		text.len += got;
	}
	ck_assert_int_eq(fclose(file), 0);
}

static void slurp_shipped(void) { slurp(ALTERD_SOURCE_DIR "/config/alterd.conf"); }

START_TEST(test_defaults_hold_together)
{
	ck_assert_int_eq(config_check(&config, &err), 0);
	ck_assert_int_eq(config.store_cache, 16 << 20);
	ck_assert_int_eq(config.migrate_hold, 3);
	ck_assert_str_eq(config.log_level, "info");
}
END_TEST

START_TEST(test_alterd_conf_is_the_defaults)
{
	struct buf names = {0};

	slurp_shipped();
	for (size_t i = 0; i < settings_count; i++) {
		/* Each setting away from its default first, so that a key left out of the file shows. */
		if (settings[i].type == SETTING_STRING)
			ck_assert_int_eq(
				setting_assign(&config, &settings[i], "?", 1, err.message, sizeof(err.message)), 0);
		else
			*setting_number(&config, &settings[i]) = -1;
	}
	ck_assert_int_eq(config_read_text(&config, "alterd.conf", text.data, text.len, &err), 0);
	config_diff(&other, &config, false, &names);
	ck_assert_str_eq(buf_cstr(&names), "");
	buf_free(&names);
}
END_TEST

/* Of the text that was read, the section of the setting, up to where another begins: two may have the same key. */
static const char *section_text(const struct setting *s, const char *next)
{
	struct buf head = {0};

	buf_printf(&head, "[%s]\n", s->section);
	char *begin = strstr(buf_cstr(&text), buf_cstr(&head));
	ck_assert_ptr_nonnull(begin);
	char *end = strstr(begin + 1, next);
	if (end)
		end[1] = '\0';
	buf_free(&head);
	return begin;
}

START_TEST(test_alterd_conf_has_each_key_once_as_the_table_writes_it)
{
	const struct setting *s = &settings[_i];
	struct buf line = {0};
	int found = 0;

	slurp_shipped();
	buf_printf(&line, "\n%s =%s%s\n", s->key, *s->def ? " " : "", s->def);
	for (const char *at = section_text(s, "\n["); (at = strstr(at, buf_cstr(&line))) != NULL; at++)
		found++;
	ck_assert_int_eq(found, 1);
	buf_free(&line);
}
END_TEST

START_TEST(test_the_manual_has_each_key_once_as_the_table_writes_it)
{
	const struct setting *s = &settings[_i];
	struct buf line = {0};
	int found = 0;

	slurp(ALTERD_SOURCE_DIR "/config/alterd.conf.5.scd");
	buf_puts(&line, "\n*");
	/* scdoc takes an underscore for the start of underlined text. */
	for (const char *c = s->key; *c != '\0'; c++)
		buf_printf(&line, "%s%c", *c == '_' ? "\\" : "", *c);
	buf_printf(&line, "* =%s%s\n", *s->def ? " " : "", s->def);
	for (const char *at = section_text(s, "\n# "); (at = strstr(at, buf_cstr(&line))) != NULL; at++)
		found++;
	ck_assert_int_eq(found, 1);
	buf_free(&line);
}
END_TEST

START_TEST(test_alterd_conf_explains_each_key_and_names_when_it_takes_effect)
{
	slurp_shipped();
	char *line, *rest = (char *)(uintptr_t)buf_cstr(&text);
	bool explained = false, said_when = false;

	for (int number = 1; (line = strsep(&rest, "\n")) != NULL; number++) {
		if (*line == '#') {
			explained = true;
			said_when = said_when || strstr(line, "Reload") || strstr(line, "Restart");
		} else if (strchr(line, '=')) {
			ck_assert_msg(explained && said_when, "alterd.conf:%d: %s", number, line);
			explained = said_when = false;
		} else {
			explained = said_when = false;
		}
	}
}
END_TEST

START_TEST(test_alterd_conf_says_reload_where_the_table_does)
{
	const char *section = "", *at;
	bool reload = false;
	slurp_shipped();
	char *line, *rest = (char *)(uintptr_t)buf_cstr(&text);

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '#') {
			reload = strstr(line, "Reload") ? true : strstr(line, "Restart") ? false : reload;
		} else if (*line == '[') {
			section = line + 1;
			line[strlen(line) - 1] = '\0';
		} else if ((at = strstr(line, " =")) != NULL) {
			const struct setting *s = setting_find(section, strlen(section), line, (size_t)(at - line));
			ck_assert_ptr_nonnull(s);
			ck_assert_msg(s->reload == reload, "%s.%s", s->section, s->key);
		}
	}
}
END_TEST

static const struct {
	const char *assignments[2], *named;
} contradictions[] = {
	{{"store.synchronous=off"}, "store.synchronous"},
	{{"store.checkpoint=never"}, "store.checkpoint"},
	{{"log.level=verbose"}, "log.level"},
	{{"server.socket="}, "server.socket"},
	{{"server.output_low=1MiB", "server.output_high=1MiB"}, "server.output_low"},
	{{"store.wal_cap=1GiB"}, "store.wal_cap"},
	{{"store.checkpoint_at=65MiB"}, "store.checkpoint_at"},
	{{"store.readers=33"}, "store.readers"},
	{{"store.cache=160MiB"}, "store.cache"},
	{{"server.line_limit=65MiB"}, "server.line_limit"},
	{{"limits.tx_idle=6s"}, "limits.tx_idle"},
	{{"limits.cursor_idle=6min"}, "limits.cursor_idle"},
};

START_TEST(test_a_contradiction_is_named)
{
	for (size_t i = 0; i < 2; i++) {
		if (contradictions[_i].assignments[i])
			set(&config, contradictions[_i].assignments[i]);
	}
	ck_assert_int_eq(config_check(&config, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, contradictions[_i].named));
}
END_TEST

START_TEST(test_equal_limits_are_no_contradiction)
{
	set(&config, "store.wal_hard_cap=64MiB");
	set(&config, "store.checkpoint_at=64MiB");
	set(&config, "store.readers_max=2");
	set(&config, "limits.tx_idle=5s");
	ck_assert_int_eq(config_check(&config, &err), 0);
}
END_TEST

START_TEST(test_a_socket_path_fits_sun_path)
{
	char assignment[200] = "server.socket=/";
	size_t prefix = strlen("server.socket=");

	memset(assignment + prefix + 1, 's', 106);
	set(&config, assignment);
	ck_assert_uint_eq(strlen(config.server_socket), 107);
	ck_assert_int_eq(config_check(&config, &err), 0);
	assignment[prefix + 107] = 's';
	set(&config, assignment);
	ck_assert_int_eq(config_check(&config, &err), -1);
}
END_TEST

START_TEST(test_diff_names_what_changed)
{
	set(&other, "store.cache=1MiB");
	set(&other, "log.level=debug");
	config_diff(&config, &other, false, &text);
	ck_assert_str_eq(buf_cstr(&text), "store.cache, log.level");
	buf_reset(&text, SIZE_MAX);
	config_diff(&config, &other, true, &text);
	ck_assert_str_eq(buf_cstr(&text), "store.cache");
}
END_TEST

START_TEST(test_reload_takes_only_what_it_can)
{
	set(&other, "store.cache=1MiB");
	set(&other, "store.database=/other.db");
	set(&other, "log.level=debug");
	set(&other, "limits.wait=1s");
	config_take_reloadable(&config, &other);
	ck_assert_int_eq(config.store_cache, 16 << 20);
	ck_assert_str_eq(config.store_database, "");
	ck_assert_str_eq(config.log_level, "debug");
	ck_assert_ptr_ne(config.log_level, other.log_level);
	ck_assert_int_eq(config.limits_wait, 1000);
}
END_TEST

static const char *written(const struct config *wanted)
{
	buf_reset(&text, 65536);
	config_write(&config, wanted, &text);
	return buf_cstr(&text);
}

START_TEST(test_each_value_knows_where_it_came_from)
{
	const char lines[] = "[store]\n# twice\ngroup = 7\ngroup = 8\n[log]\nlevel = debug\n";

	ck_assert_int_eq(config_read_text(&config, "a.conf", lines, sizeof(lines) - 1, &err), 0);
	set(&config, "log.level=error");
	ck_assert_ptr_nonnull(strstr(written(NULL),
				     "{\"name\":\"store.group\",\"value\":\"8\",\"default\":\"256\","
				     "\"origin\":\"file\",\"file\":\"a.conf\",\"line\":4,\"reload\":true}"));
	ck_assert_ptr_nonnull(strstr(text.data, "{\"name\":\"log.level\",\"value\":\"error\",\"default\":\"info\","
						"\"origin\":\"set\",\"reload\":true}"));
	ck_assert_ptr_nonnull(strstr(text.data, "{\"name\":\"store.cache\",\"value\":\"16MiB\",\"default\":\"16MiB\","
						"\"origin\":\"default\",\"reload\":false}"));
	/* What cannot be taken leaves value and origin as they were. */
	ck_assert_int_ne(config_set(&config, "store.group=many", &err), 0);
	ck_assert_int_eq(config.origins[SETTING_NUMBER_store_group].line, 4);
}
END_TEST

START_TEST(test_reload_takes_origins_of_what_is_in_force)
{
	const char before[] = "[store]\nreaders = 3\ncache = 1MiB\ngroup = 7\n";
	const char after[] = "\n\n[store]\nreaders = 5\ncache = 1MiB\ngroup = 9\n";

	ck_assert_int_eq(config_read_text(&config, "a.conf", before, sizeof(before) - 1, &err), 0);
	ck_assert_int_eq(config_read_text(&other, "b.conf", after, sizeof(after) - 1, &err), 0);
	config_take_reloadable(&config, &other);
	/* Taken; the same value, elsewhere; not taken. */
	ck_assert_int_eq(config.origins[SETTING_NUMBER_store_group].line, 6);
	ck_assert_str_eq(config.origins[SETTING_NUMBER_store_cache].file, "b.conf");
	ck_assert_int_eq(config.origins[SETTING_NUMBER_store_readers].line, 2);
	ck_assert_str_eq(config.origins[SETTING_NUMBER_store_readers].file, "a.conf");
	ck_assert_ptr_nonnull(strstr(written(&other), "\"line\":2,\"reload\":false,\"waiting\":\"5\"}"));
	ck_assert_ptr_null(strstr(strstr(text.data, "waiting") + 1, "waiting"));
}
END_TEST

START_TEST(test_dump_reads_back_as_it_is)
{
	struct buf names = {0};

	set(&config, "store.database=/srv/a b=c.db");
	set(&config, "store.cache=1048577");
	set(&config, "limits.wait=1500ms");
	set(&config, "server.socket_mode=0600");
	config_dump(&config, &text);
	ck_assert(!text.failed);
	ck_assert_int_eq(config_read_text(&other, "dump", text.data, text.len, &err), 0);
	config_diff(&config, &other, false, &names);
	ck_assert_str_eq(buf_cstr(&names), "");
	buf_free(&names);
}
END_TEST

START_TEST(test_free_may_be_called_twice)
{
	config_free(&other);
	config_free(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *whole = tcase_create("config");

	tcase_set_timeout(whole, 10);
	tcase_add_checked_fixture(whole, set_up, tear_down);
	tcase_add_test(whole, test_defaults_hold_together);
	tcase_add_test(whole, test_alterd_conf_is_the_defaults);
	tcase_add_loop_test(whole, test_alterd_conf_has_each_key_once_as_the_table_writes_it, 0, (int)settings_count);
	tcase_add_loop_test(whole, test_the_manual_has_each_key_once_as_the_table_writes_it, 0, (int)settings_count);
	tcase_add_test(whole, test_alterd_conf_explains_each_key_and_names_when_it_takes_effect);
	tcase_add_test(whole, test_alterd_conf_says_reload_where_the_table_does);
	tcase_add_loop_test(whole, test_a_contradiction_is_named, 0,
			    (int)(sizeof(contradictions) / sizeof(contradictions[0])));
	tcase_add_test(whole, test_equal_limits_are_no_contradiction);
	tcase_add_test(whole, test_a_socket_path_fits_sun_path);
	tcase_add_test(whole, test_diff_names_what_changed);
	tcase_add_test(whole, test_reload_takes_only_what_it_can);
	tcase_add_test(whole, test_each_value_knows_where_it_came_from);
	tcase_add_test(whole, test_reload_takes_origins_of_what_is_in_force);
	tcase_add_test(whole, test_dump_reads_back_as_it_is);
	tcase_add_test(whole, test_free_may_be_called_twice);
	suite_add_tcase(suite, whole);
	return run_suite(suite);
}
