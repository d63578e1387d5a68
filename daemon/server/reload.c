/* The settings: where they come from, what they become for store and migrator, and taking new ones while running. */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/server/admit.h"
#include "daemon/server/internal.h"
#include "daemon/server/session.h"
#include "proto/response.h"

int server_config_load(const struct server_options *options, struct config *ret, struct error *err)
{
	int rc = 0;

	config_init(ret);
	for (size_t i = 0; i < options->defaults_count && rc == 0; i++)
		rc = config_set(ret, options->defaults[i], err);
	if (options->config_path && rc == 0)
		rc = config_read_file(ret, options->config_path, err);
	for (size_t i = 0; i < options->sets_count && rc == 0; i++)
		rc = config_set(ret, options->sets[i], err);
	if (rc == 0)
		rc = config_check(ret, err);
	if (rc != 0)
		config_free(ret);
	else
		access_resolve(&ret->access);
	return rc;
}

void server_store_config(const struct config *c, struct store_config *ret)
{
	*ret = (struct store_config){
		.path = c->store_database,
		.synchronous_full = strcmp(c->store_synchronous, "full") == 0,
		.readers = (int)c->store_readers,
		.readers_max = (int)c->store_readers_max,
		.pinned_max = (int)c->store_pinned_max,
		.queue_max = (int)c->store_queue,
		.group_max = (int)c->store_group,
		.cache_bytes = c->store_cache,
		.memory_bytes = c->store_memory,
		.value_bytes = c->store_value_limit,
		.sql_bytes = c->store_sql_limit,
		.wal_cap_bytes = c->store_wal_cap,
		.wal_hard_bytes = c->store_wal_hard_cap,
		.checkpoint_bytes = c->store_checkpoint_at,
		.checkpoint_external = strcmp(c->store_checkpoint, "external") == 0,
		.page_bytes = c->server_page_bytes,
		.page_rows = c->server_page_rows,
		.read_ms = c->limits_read_time,
		.write_ms = c->limits_write_time,
		.wait_ms = c->limits_wait,
		.tx_ms = c->limits_tx_time,
		.tx_idle_ms = c->limits_tx_idle,
		.cursor_ms = c->limits_cursor_time,
		.cursor_idle_ms = c->limits_cursor_idle,
		.background_percent = c->store_background_share,
		.disk_reserve_bytes = c->store_disk_reserve,
		.statements = c->store_statements,
		.slow_ms = c->log_slow,
	};
	for (int role = 0; role < ROLE_COUNT; role++) {
		struct role_limits limits;

		admit_limits(c, (enum role)role, &limits);
		ret->roles[role] = (struct store_role){limits.read_ms, limits.write_ms, limits.page_rows};
	}
}

void server_migrator_config(const struct config *c, struct migrator_config *ret)
{
	*ret = (struct migrator_config){
		.hold_ms = c->migrate_hold,
		.batch_rows = c->migrate_batch_rows,
		.duty_percent = c->migrate_duty,
		.client_wait_ms = c->migrate_client_wait,
		.queue_max = c->migrate_queue,
		.retire_ms = c->migrate_retire_pause,
		.folder = c->migrate_folder,
		.format = c->migrate_format,
		.mirror = c->migrate_mirror_history != 0,
		.try_folder = c->migrate_try_folder,
		.backup_folder = c->store_backup_folder,
		.backup_keep = c->migrate_backup_keep,
		.backup_before = strcmp(c->migrate_backup, "before") == 0,
		.line_bytes = c->server_line_limit,
	};
}

void server_migrator_settings(struct server *server, struct migrator_config *ret)
{
	server_migrator_config(&server->config, ret);
	buf_truncate(&server->settings, 0);
	config_dump(&server->config, &server->settings);
	ret->settings = buf_cstr(&server->settings);
}

static bool among(const char *names, const char *name, size_t len)
{
	for (const char *at = names; *at; at += strspn(at, ", ")) {
		size_t n = strcspn(at, ", ");

		if (n == len && memcmp(at, name, len) == 0)
			return true;
		at += n;
	}
	return false;
}

/* "a.b, c.d" as a JSON array, without the names among `except`. */
static void write_names(struct buf *out, const char *names, const char *except)
{
	jw_open(out, '[');
	for (const char *at = names; *at; at += strspn(at, ", ")) {
		size_t n = strcspn(at, ", ");

		if (!among(except, at, n)) {
			jw_key(out, NULL);
			buf_printf(out, "\"%.*s\"", (int)n, at);
		}
		at += n;
	}
	jw_close(out, ']');
}

/* What each part keeps for itself. */
static void spread(struct server *server)
{
	struct store_config store;
	struct migrator_config migrator;
	enum log_level level;

	server_store_config(&server->config, &store);
	store_reconfigure(server->store, &store);
	server_migrator_settings(server, &migrator);
	migrator_reconfigure(server->migrator, &migrator);
	if (log_level_by_name(server->config.log_level, &level))
		log_set_level(level);
	for (struct list_node *n = list_first(&server->sessions); n; n = list_next(&server->sessions, n)) {
		struct session *s = LIST_ENTRY(n, struct session, node);

		if (s->role != ROLE_NONE)
			s->connection.frame.limit = (size_t)server->config.server_line_limit;
	}
	admit_again(server);
}

int server_reload(struct server *server, struct buf *changed, struct buf *needs_restart, struct error *err)
{
	struct config fresh;
	struct buf all = {0}, restart = {0};
	int rc;

	notify_reloading(&server->notify);
	rc = server_config_load(server->options, &fresh, err);
	if (rc != 0) {
		log_event(LOG_LEVEL_ERROR, "server", LOG_FIELDS(.event = LOG_EVENT_RELOAD_FAILED),
			  "reload: %s; the settings stay as they are", err->message);
		notify_send(&server->notify, "READY=1");
		return -1;
	}
	config_diff(&server->config, &fresh, false, &all);
	config_diff(&server->config, &fresh, true, &restart);
	write_names(changed, buf_cstr(&all), buf_cstr(&restart));
	write_names(needs_restart, buf_cstr(&restart), "");
	config_take_reloadable(&server->config, &fresh);
	/* Kept, for config.show: what waits for a restart. */
	config_free(&server->wanted);
	server->wanted = fresh;
	server->has_wanted = true;
	spread(server);
	log_event(LOG_LEVEL_INFO, "server", LOG_FIELDS(.event = LOG_EVENT_RELOADED),
		  "reload: taken %s, waiting for a restart %s", buf_cstr(changed), buf_cstr(needs_restart));
	/* The last word of a reload: what can be taken is in force. */
	notify_send(&server->notify, "READY=1");
	buf_free(&all);
	buf_free(&restart);
	return 0;
}
