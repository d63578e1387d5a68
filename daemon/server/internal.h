/*
 * The server's state, passed down to every part of the room. There is one, and no globals.
 */
#ifndef ALTERD_SERVER_INTERNAL_H
#define ALTERD_SERVER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/lib/list.h"
#include "daemon/migrate/migrator.h"
#include "daemon/server/beside.h"
#include "daemon/server/events.h"
#include "daemon/server/listener.h"
#include "daemon/server/metrics_socket.h"
#include "daemon/server/notify.h"
#include "daemon/server/recent.h"
#include "daemon/server/server.h"
#include "daemon/server/stats.h"
#include "daemon/server/users.h"
#include "daemon/store/store.h"

/* One read from a socket, at most. */
#define READ_BYTES ((size_t)64 * 1024)
/* A line (or request) longer than this is counted in the input budget. */
#define LONG_LINE_BYTES ((size_t)64 * 1024)
/* Bytes of requests a session may have in line beyond the first. */
#define QUEUED_BYTES_MAX ((size_t)256 * 1024)
/* Above this sum of waiting output, connections that hold more than their share are not served. */
#define OUTPUT_TOTAL_MAX ((size_t)64 * 1024 * 1024)
#define OUTPUT_SHARE_BYTES ((size_t)64 * 1024)
/* How often what is overdue is looked for. */
#define SWEEP_MS 250
/* A session that is told to go has this long to take its last answers. */
#define LAST_ANSWER_MS 1000
/* Memory kept for the next request: slots, bytes of a slot's reply, bytes of a connection's buffers. */
#define SLOTS_KEPT 256
#define REPLY_KEPT_BYTES ((size_t)16 * 1024)
#define OUTPUT_KEPT_BYTES ((size_t)64 * 1024)
/* How often systemd's STATUS= may change. */
#define NOTIFY_MS 1000

enum server_state {
	SERVER_RUNNING,
	SERVER_DRAINING, /* takes no new statements; lets those under way and open transactions end */
	SERVER_STOPPING, /* stops what still runs, sends the last answers, closes the sessions */
	SERVER_CLOSING,  /* no session is left; the migrator ends its step */
};

struct server {
	const struct server_options *options;
	struct config config;
	struct config wanted; /* what the last reload has read; all zeroes before there was one */
	bool has_wanted;
	struct buf settings; /* the same as text, for a rehearsal */
	uv_loop_t *loop;
	struct store *store;
	struct migrator *migrator;
	struct listener listener;
	struct metrics_socket metrics;
	struct notify notify;
	struct stats stats;
	struct recent recent;
	struct events events;
	enum server_state state;
	bool serves;          /* systemd was told that it does */
	uint64_t started_ms;  /* uv_now */
	uint64_t drain_by_ms; /* when the present step of the shutdown has lasted long enough */
	struct list sessions; /* struct session, oldest first */
	uint64_t sessions_made;
	size_t by_role[ROLE_COUNT]; /* of `sessions`; ROLE_NONE: strangers that are about to be told so (admit.h) */
	struct users users;
	uint64_t denials_since_ms; /* see denial.h */
	unsigned denials_told;
	struct list dirty; /* struct connection with replies to send */
	struct list spare; /* struct slot */
	struct beside beside;
	char *read_buffer;    /* READ_BYTES, shared: libuv fills it and hands it over at once */
	size_t input_charged; /* bytes of long lines and requests held */
	size_t output_bytes;  /* replies not taken yet, all connections */
	uv_timer_t sweep, notify_timer;
	uv_prepare_t flush_before; /* replies made by timers go out before the loop sleeps */
	uv_check_t flush_after;    /* replies made by sockets and lanes go out at once */
	uv_signal_t signals[3];
	void (*on_sweep)(uv_timer_t *); /* what `sweep` calls */
};

/* The store's and the migrator's shape of the settings. Strings are borrowed from `config`. */
void server_store_config(const struct config *config, struct store_config *ret);
void server_migrator_config(const struct config *config, struct migrator_config *ret);

/* The migrator's, with the settings as text: kept in the server. */
void server_migrator_settings(struct server *server, struct migrator_config *ret);

/*
 * Reads the configuration again and takes what can be taken. On success the names are in `changed` (in force now) and
 * `needs_restart`, as JSON arrays. On failure everything stays as it was.
 */
int server_reload(struct server *server, struct buf *changed, struct buf *needs_restart, struct error *err);

/* Clients that are connected. */
int64_t server_count_sessions(const struct server *server);
/* The word for it in `stopped_total`; `why` is not STOP_NONE. */
const char *server_stop_word(enum stop_reason why);

/* A first call drains, a second one hurries. */
void server_shut_down(struct server *server);
/* Has the next step of the shutdown looked at soon; cheap, called wherever something ended. */
void server_shutdown_check(struct server *server);
/* Takes the next step if it is due. */
void server_shutdown_step(struct server *server);

#endif
