/* Statistics of statements, metrics as text, and what can be made of them. */
#include "daemon/server/handlers.h"
#include "daemon/server/line.h"
#include "daemon/server/metrics.h"
#include "proto/response.h"
#include "proto/value.h"

/* Statements told where the client does not say how many. */
#define STATEMENTS_SHOWN 100

int handle_stats_statements(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	const struct params *p = &r->params;

	return store_statements(s->server->store, params_has(p, PARAM_BY) ? p->by : "time",
				params_has(p, PARAM_LIMIT) ? p->limit : STATEMENTS_SHOWN, out, err);
}

int handle_stats_reset(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	(void)r;
	(void)err;
	store_statements_reset(s->server->store);
	buf_puts(out, "{}");
	return 0;
}

int handle_metrics(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	struct buf text = {0};

	(void)r;
	(void)err;
	metrics_write(s->server, &text);
	jw_open(out, '{');
	jw_str(out, "content_type", METRICS_CONTENT_TYPE);
	jw_key(out, "text");
	json_write_string(out, text.data ? text.data : "", text.len);
	jw_close(out, '}');
	buf_free(&text);
	return 0;
}

/* Nothing is changed: it works in memory, beside everybody's work. */
void handle_advise(struct slot *slot)
{
	const struct params *p = &slot->request->params;

	slot_begin_wait(slot);
	migrator_advise(slot->session->server->migrator, params_has(p, PARAM_LIMIT) ? p->limit : 0, &slot->wait);
}
