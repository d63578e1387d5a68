/*
 * wait: until the daemon serves, until no migration is under way, until the schema has a version. While the daemon is
 * there it tells; while it is not there is nobody to ask, and the socket is tried now and then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* How often a socket is tried that nobody listens on. */
#define TRY_MS 50
/* What a look has found out. */
enum { MET = 1, AGAIN = 2 };

struct goal {
	enum { READY, IDLE, VERSION } kind;
	int64_t version;
	int64_t until; /* INT64_MAX: for ever */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For the library: -1 for ever, never 0. */
static int left_ms(const struct goal *g)
{
	int64_t left = g->until - now_ms();

	if (g->until == INT64_MAX)
		return -1;
	return left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static int read_goal(const struct ctl *c, struct goal *ret)
{
	const char *text = c->wait_for ? c->wait_for : "ready";

	*ret = (struct goal){.until = c->timeout_ms > 0 ? now_ms() + c->timeout_ms : INT64_MAX};
	if (strcmp(text, "ready") == 0)
		return 0;
	if (strcmp(text, "idle") == 0) {
		ret->kind = IDLE;
		return 0;
	}
	ret->kind = VERSION;
	ret->version = strncmp(text, "version=", 8) == 0 ? args_number(text + 8) : -1;
	if (ret->version >= 0)
		return 0;
	say("--for takes ready, idle or version=NUMBER, not \"%s\"", text);
	return EXIT_USAGE;
}

/* True for failures that a daemon which starts, or starts anew, will mend. */
static bool passes(const struct alterd_conn *conn)
{
	int code = alterd_error_code(conn);

	return code == ALTERD_E_UNREACHABLE || code == ALTERD_E_CLOSED || code == ALTERD_E_TIMEOUT ||
	       strcmp(alterd_error_name(conn), "SHUTTING_DOWN") == 0 ||
	       strcmp(alterd_error_name(conn), "TOO_MANY") == 0;
}

/* MET: no job runs and none waits; AGAIN: one does. *ret_version as it is now. -1: failed. */
static int look_at_jobs(struct ctl *c, int64_t *ret_version)
{
	struct error err = {0};
	const char *text;
	struct progress p;
	struct doc *d;

	if (alterd_call(c->conn, "migrate.status", NULL, &text) != 0)
		return -1;
	if (doc_parse(text, strlen(text), &d, &err) != 0) {
		error_clear(&err);
		return AGAIN;
	}
	bool busy = progress_read(doc_get(doc_root(d), "job"), &p) && !progress_ended(&p);
	busy = busy || doc_int(doc_get(doc_root(d), "queued"), 0) > 0;
	*ret_version = doc_int(doc_get(doc_root(d), "version"), 0);
	doc_free(d);
	return busy ? AGAIN : MET;
}

static bool ends_a_job(const struct alterd_event *e)
{
	const char *type = alterd_event_type(e);

	return strcmp(type, "done") == 0 || strcmp(type, "failed") == 0 || strcmp(type, "aborted") == 0;
}

/* MET, 0: time is up, -1: failed. */
static int wait_idle(struct ctl *c, const struct goal *g, int64_t *ret_version)
{
	static const char *const topics[] = {"migration"};
	const struct alterd_event *e;
	int found;

	if (alterd_subscribe(c->conn, topics, 1, NULL, 0, NULL, NULL) != 0)
		return -1;
	while ((found = look_at_jobs(c, ret_version)) == AGAIN) {
		do {
			found = alterd_next_event(c->conn, left_ms(g), &e);
		} while (found == 1 && !ends_a_job(e));
		if (found != 1)
			return found;
		alterd_set_timeout(c->conn, left_ms(g));
	}
	return found;
}

static int wait_goal(struct ctl *c, const struct goal *g, int64_t *ret_version)
{
	alterd_set_timeout(c->conn, left_ms(g));
	if (alterd_hello(c->conn, "alterctl/" ALTERD_VERSION, 0, -1) != 0)
		return -1;
	switch (g->kind) {
	case READY:
		return look_at_jobs(c, ret_version) < 0 ? -1 : MET;
	case IDLE:
		return wait_idle(c, g, ret_version);
	case VERSION:
		break;
	}
	return alterd_wait_version(c->conn, g->version, left_ms(g), ret_version);
}

static int report(const struct ctl *c, int64_t version)
{
	struct buf out = {0};

	if (has(c, FLAG_JSON)) {
		jw_open(&out, '{');
		jw_str(&out, "for", c->wait_for ? c->wait_for : "ready");
		jw_int(&out, "version", version);
		jw_close(&out, '}');
		buf_putc(&out, '\n');
		print_out(&out);
		buf_free(&out);
	}
	return EXIT_OK;
}

int cmd_wait(struct ctl *c, int argc, char **argv)
{
	int64_t version = 0;
	struct goal g;
	int code = read_goal(c, &g);

	(void)argc, (void)argv;
	if (code)
		return code;
	for (;;) {
		int found = alterd_connect(c->socket, &c->conn) == 0 ? wait_goal(c, &g, &version) : -1;

		if (found == MET)
			return report(c, version);
		if (found < 0 && !passes(c->conn))
			return ctl_failed(c, c->conn);
		alterd_close(c->conn);
		c->conn = NULL;
		if (now_ms() >= g.until) {
			say("not %s within %.1f s", c->wait_for ? c->wait_for : "ready", c->timeout_ms / 1000.0);
			return EXIT_RETRY;
		}
		pause_ms(TRY_MS);
	}
}
