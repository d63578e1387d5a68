/*
 * A request as the server sees it: decoded, checked against op.h, all its memory in one place.
 *
 * Decoding happens on the loop thread; a decoded request holds plain bytes only (no json_t) and may be read by a lane
 * while its job is in flight.
 */
#ifndef ALTERD_PROTO_REQUEST_H
#define ALTERD_PROTO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/op.h"
#include "proto/value.h"

/* A request's id. */
struct reqid {
	enum { REQID_NONE, REQID_INT, REQID_STRING } kind; /* NONE: a notification, or an error without a known id */
	int64_t i;
	const char *s; /* NUL-terminated, borrowed from the request */
	size_t len;
};

bool reqid_equal(const struct reqid *a, const struct reqid *b);

struct binds {
	size_t n;
	const struct value *values;
	const char *const *names; /* NULL: positional; else n names as the client gave them, prefix or not */
};

/* One statement of a batch. */
struct step {
	const char *sql; /* NUL-terminated; contains no NUL before sql_len */
	size_t sql_len;
	struct binds bind;
	int64_t expect_changes; /* -1: not asked */
};

/* A migration file. */
struct file {
	const char *name; /* both NUL-terminated, without a NUL inside */
	const char *sql;
	size_t sql_len;
};

/* Parameters of all methods. A field means something only if its bit is in `present` (or its default is told). */
struct params {
	uint64_t present; /* mask of P(..) */
	const char *sql;  /* no NUL inside: a statement with one is refused as INVALID_PARAMS */
	size_t sql_len;
	struct binds bind; /* n = 0 if absent */
	int64_t page_rows;
	int64_t timeout_ms;
	bool want_types;
	const struct step *steps; /* statements */
	size_t nsteps;
	const char *script;
	size_t script_len;
	const char *mode;
	int64_t wait_ms;
	int64_t max_ms;
	const char *cursor;
	struct reqid id;
	const char *session;
	int64_t protocol_min, protocol_max;
	const char *client;
	enum int64_mode int64; /* INT64_AUTO if absent */
	bool readonly;
	int64_t expect_version;
	const char *table;
	const char *job;
	bool wait;
	bool allow_data_loss;
	bool postpone_cutover;
	int64_t batch_rows;
	int64_t duty_percent;
	int64_t to;
	int64_t nsteps_asked; /* steps */
	const struct file *files;
	size_t nfiles;
	struct file schema; /* name NULL if absent */
	const char *format;
	bool allow_out_of_order;
	int64_t version;
	const char *from;
	bool dry_run;
	bool applied;
	bool rehearse; /* try */
	const char *name;
	bool check;
	int64_t offset, size;
	bool quick, whole;
	unsigned topics; /* mask of TOPIC_BIT(..) */
	const char *const *tables;
	size_t ntables;
	const char *subscription;
	const char *by;
	int64_t limit;
};

static inline bool params_has(const struct params *p, enum param which) { return (p->present >> which) & 1; }

struct request {
	enum op op;
	struct reqid id; /* kind NONE: a notification */
	struct params params;
	size_t bytes; /* of the line it came in; what the session's budget counts */
	void *arena;  /* all memory of the request */
};

/* Most JSON values a request may hold; counted before the tree is built. */
#define REQUEST_VALUES_MAX 1000000
/* Deepest nesting of arrays and objects. */
#define REQUEST_DEPTH_MAX 64
/* Longest id that is a string, in bytes; it goes back with the reply, whose length is bounded. */
#define REQUEST_ID_MAX 256

/*
 * Decodes one line. Returns 0 and *ret_request (caller frees with request_free), or -1 with err set and *ret_id the id
 * to answer under (REQID_NONE -> null; its string, if any, lives in *ret_id_text, caller frees with free()).
 * *ret_notification tells that the line was a well-formed request without an id: its errors are not answered.
 */
int request_decode(const char *line, size_t len, struct request **ret_request, struct reqid *ret_id, char **ret_id_text,
		   bool *ret_notification, struct error *err);
void request_free(struct request *r);

#endif
