/*
 * A configuration as a whole: its defaults, what must hold between its settings, and comparing two for a reload.
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config/setting.h"
#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "proto/response.h"

void config_init(struct config *c)
{
	char why[256];

	*c = (struct config){0};
	for (size_t i = 0; i < settings_count; i++)
		CHECK(setting_assign(c, &settings[i], settings[i].def, strlen(settings[i].def), why, sizeof(why)) == 0);
}

void config_free(struct config *c)
{
	for (size_t i = 0; i < settings_count; i++) {
		if (settings[i].type == SETTING_STRING) {
			free(*setting_string(c, &settings[i]));
			*setting_string(c, &settings[i]) = NULL;
		}
		free(c->origins[i].file);
		c->origins[i].file = NULL;
	}
	access_free(&c->access);
}

/* Takes the origin's file. */
static void set_origin(struct config_origin *o, struct config_origin origin)
{
	free(o->file);
	*o = origin;
}

void setting_came_from(struct config *c, const struct setting *s, const char *file, int line)
{
	set_origin(&c->origins[s - settings], (struct config_origin){
						      .kind = file ? ORIGIN_FILE : ORIGIN_SET,
						      .file = file ? xstrdup(file) : NULL,
						      .line = file ? line : 0,
					      });
}

static int check_words(const struct config *c, struct error *err)
{
	enum log_level level;
	enum log_format format;
	size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (strcmp(c->store_synchronous, "full") != 0 && strcmp(c->store_synchronous, "normal") != 0)
		return error_set(err, ERRC_INVALID_PARAMS, "store.synchronous = %.64s: it is full or normal",
				 c->store_synchronous);
	if (strcmp(c->store_checkpoint, "internal") != 0 && strcmp(c->store_checkpoint, "external") != 0)
		return error_set(err, ERRC_INVALID_PARAMS, "store.checkpoint = %.64s: it is internal or external",
				 c->store_checkpoint);
	if (strcmp(c->migrate_on_start, "none") != 0 && strcmp(c->migrate_on_start, "up") != 0)
		return error_set(err, ERRC_INVALID_PARAMS, "migrate.on_start = %.64s: it is none or up",
				 c->migrate_on_start);
	if (strcmp(c->migrate_backup, "none") != 0 && strcmp(c->migrate_backup, "before") != 0)
		return error_set(err, ERRC_INVALID_PARAMS, "migrate.backup = %.64s: it is none or before",
				 c->migrate_backup);
	if (strcmp(c->migrate_on_start, "up") == 0 && c->migrate_folder[0] == '\0')
		return error_set(err, ERRC_INVALID_PARAMS, "migrate.on_start = up needs migrate.folder");
	if (!log_level_by_name(c->log_level, &level))
		return error_set(err, ERRC_INVALID_PARAMS, "log.level = %.64s: it is error, warning, info or debug",
				 c->log_level);
	if (!log_format_by_name(c->log_format, &format))
		return error_set(err, ERRC_INVALID_PARAMS, "log.format = %.64s: it is auto, text, json or journal",
				 c->log_format);
	if (strlen(c->server_metrics_socket) > longest)
		return error_set(err, ERRC_INVALID_PARAMS,
				 "server.metrics_socket is %zu bytes long: a socket's path has at most %zu",
				 strlen(c->server_metrics_socket), longest);
	if (strcmp(c->server_metrics_socket, c->server_socket) == 0)
		return error_set(err, ERRC_INVALID_PARAMS, "server.metrics_socket is server.socket: it needs its own");
	if (c->server_socket[0] == '\0')
		return error_set(err, ERRC_INVALID_PARAMS, "server.socket is empty: it is the path to listen on");
	if (strlen(c->server_socket) > longest)
		return error_set(err, ERRC_INVALID_PARAMS,
				 "server.socket is %zu bytes long: a socket's path has at most %zu",
				 strlen(c->server_socket), longest);
	return 0;
}

int config_check(const struct config *c, struct error *err)
{
	const struct {
		const char *less, *more;
		int64_t less_value, more_value;
		bool may_be_equal;
	} pairs[] = {
		{"store.readers", "store.readers_max", c->store_readers, c->store_readers_max, true},
		{"store.wal_cap", "store.wal_hard_cap", c->store_wal_cap, c->store_wal_hard_cap, true},
		{"store.checkpoint_at", "store.wal_cap", c->store_checkpoint_at, c->store_wal_cap, true},
		{"store.cache", "store.memory", c->store_cache, c->store_memory, false},
		{"server.output_low", "server.output_high", c->server_output_low, c->server_output_high, false},
		{"server.line_limit", "server.input_budget", c->server_line_limit, c->server_input_budget, true},
		{"limits.tx_idle", "limits.tx_time", c->limits_tx_idle, c->limits_tx_time, true},
		{"limits.cursor_idle", "limits.cursor_time", c->limits_cursor_idle, c->limits_cursor_time, true},
	};

	if (check_words(c, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].less_value < pairs[i].more_value)
			continue;
		if (pairs[i].may_be_equal && pairs[i].less_value == pairs[i].more_value)
			continue;
		return error_set(err, ERRC_INVALID_PARAMS, "%s must %s %s", pairs[i].less,
				 pairs[i].may_be_equal ? "not be more than" : "be less than", pairs[i].more);
	}
	return 0;
}

void config_diff(const struct config *from, const struct config *to, bool restart, struct buf *out_names)
{
	const char *comma = "";

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		if (setting_equal(from, to, s) || (restart && s->reload))
			continue;
		buf_printf(out_names, "%s%s.%s", comma, s->section, s->key);
		comma = ", ";
	}
	if (!restart && !access_equal(&from->access, &to->access))
		buf_printf(out_names, "%saccess", comma);
}

void config_take_reloadable(struct config *to, const struct config *from)
{
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		const struct config_origin *o = &from->origins[i];
		bool equal = setting_equal(from, to, s);
		/* The same value may stand on another line by now. */
		if (s->reload || equal)
			set_origin(&to->origins[i], (struct config_origin){.kind = o->kind,
									   .file = o->file ? xstrdup(o->file) : NULL,
									   .line = o->line});
		if (!s->reload || equal)
			continue;
		/* Through the text: a string gets its own copy, and there is one way of setting a value. */
		struct buf text = {0};
		char why[256];
		setting_format(from, s, &text);
		CHECK(setting_assign(to, s, buf_cstr(&text), text.len, why, sizeof(why)) == 0);
		buf_free(&text);
	}
	/* Also where nothing was written anew: a name may be somebody else's by now. */
	access_copy(&to->access, &from->access);
}

void config_dump(const struct config *c, struct buf *out)
{
	const char *section = "";

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		if (strcmp(section, s->section) != 0) {
			buf_printf(out, "%s[%s]\n", *section ? "\n" : "", s->section);
			section = s->section;
		}
		buf_printf(out, "%s = ", s->key);
		setting_format(c, s, out);
		buf_putc(out, '\n');
	}
	if (c->access.count > 0) {
		buf_puts(out, "\n[access]\n");
		access_format(&c->access, out);
	}
}

static void write_value(const struct config *c, const struct setting *s, const char *key, struct buf *out)
{
	struct buf text = {0};

	setting_format(c, s, &text);
	jw_str(out, key, buf_cstr(&text));
	buf_free(&text);
}

static void write_setting(const struct config *c, const struct config *wanted, const struct setting *s, struct buf *out)
{
	static const char *const kinds[] = {
		[ORIGIN_DEFAULT] = "default",
		[ORIGIN_FILE] = "file",
		[ORIGIN_SET] = "set",
	};
	const struct config_origin *o = &c->origins[s - settings];

	jw_key(out, NULL);
	jw_open(out, '{');
	jw_key(out, "name");
	buf_printf(out, "\"%s.%s\"", s->section, s->key);
	write_value(c, s, "value", out);
	jw_str(out, "default", s->def);
	jw_str(out, "origin", kinds[o->kind]);
	if (o->kind == ORIGIN_FILE) {
		jw_str(out, "file", o->file);
		jw_int(out, "line", o->line);
	}
	jw_bool(out, "reload", s->reload);
	if (wanted && !setting_equal(c, wanted, s))
		write_value(wanted, s, "waiting", out);
	jw_close(out, '}');
}

void config_write(const struct config *c, const struct config *wanted, struct buf *out)
{
	jw_open(out, '{');
	jw_key(out, "settings");
	jw_open(out, '[');
	for (size_t i = 0; i < settings_count; i++)
		write_setting(c, wanted, &settings[i], out);
	jw_close(out, ']');
	jw_close(out, '}');
}
