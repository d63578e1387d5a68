/*
 * The line: a session's requests between decoding and answer, and the slots they travel in.
 */
#ifndef ALTERD_SERVER_LINE_H
#define ALTERD_SERVER_LINE_H

#include "daemon/server/session.h"

/* What a session may hold before its reading stops. */
struct line_limits {
	size_t in_flight;    /* statements; one more may be decoded and kept, behind it reading stops */
	size_t queued_bytes; /* bytes of requests in line, the first not counted */
};

/*
 * True if no further line may be taken: `waiting` slots hold `bytes`, the first of them `first_bytes`; `running` is 0
 * or 1.
 */
bool line_full(const struct line_limits *limits, size_t running, size_t waiting, size_t bytes, size_t first_bytes);

/* Decodes a line and answers it, or puts it in line; a long one later, as session->decoding. */
void line_take(struct session *s, const char *text, size_t len);
/* From text to request or error; any thread that has the slot. */
void slot_decode(struct slot *slot);
/* What follows slot_decode(): session->decoding has come back. May free the session. */
void line_decoded(struct slot *slot);
/*
 * Puts an error without a known id in line, so that answers keep the order of the lines. A session of the role none is
 * denied whatever the error is, and ends.
 */
void line_refuse(struct session *s, enum errc which, const char *text);
/* Starts the first slot in line. It may be answered before this returns. */
void line_start(struct session *s);
/* Frees all that waits, unanswered. */
void line_drop(struct session *s);
/* The slot with this id: running or in line; NULL if there is none. */
struct slot *line_find(const struct session *s, const struct reqid *id);

struct slot *slot_get(struct session *s);
void slot_free(struct slot *slot);
/* Answers with slot->sql.err, else with what stands in slot->reply, and frees the slot. Does not turn the session. */
void slot_finish(struct slot *slot);
/* Hands the slot to a lane; it is finished when it comes back. */
void slot_submit(struct slot *slot, enum sql_kind kind);
/* What a waiter's `done` must be: finishes the slot. */
/* The slot waits from here on: for the migrator's answer, or, where the client has set one, for its time to end. */
void slot_begin_wait(struct slot *slot);
void slot_waited(struct migrator_wait *wait);
/* Nobody waits for it any more; it is not finished. */
void slot_forget(struct slot *slot);
/* Gives up a wait for the migrator and answers SQLITE_INTERRUPT with this reason, or what stands already. */
void slot_give_up(struct slot *slot, const char *reason);
void slot_interrupted(struct slot *slot, const char *reason);
/* A lasting freelist's end. */
void slots_free_spare(struct server *server);

#endif
