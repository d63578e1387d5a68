/*
 * Replies: the envelope around a result or an error, and a small writer for JSON objects.
 *
 * A reply is built in one buffer: response_begin() writes the head up to the result, the method appends the result (one
 * JSON value), response_end() closes the line. On an error the buffer is reset and response_error() writes the whole.
 */
#ifndef ALTERD_PROTO_RESPONSE_H
#define ALTERD_PROTO_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/error.h"
#include "proto/request.h"

void response_begin(struct buf *out, const struct reqid *id); /* {"jsonrpc":"2.0","id":7,"result": */
void response_end(struct buf *out);                           /* }\n */
void response_error(struct buf *out, const struct reqid *id, const struct error *err); /* the whole line */
/* {} as the whole line. */
void response_empty(struct buf *out, const struct reqid *id);

/*
 * Object writer. Commas are placed by looking at the byte before: after '{', '[' , ':' and at the start none is due.
 *
 *     jw_open(out, '{'); jw_int(out, "uptime_s", 7); jw_key(out, "rows"); jw_open(out, '['); ... jw_close(out, ']');
 *     jw_close(out, '}');
 *
 * A NULL key writes an array element.
 */
void jw_open(struct buf *out, char bracket);
void jw_close(struct buf *out, char bracket);
void jw_key(struct buf *out, const char *key);
void jw_int(struct buf *out, const char *key, int64_t v);
void jw_bool(struct buf *out, const char *key, bool v);
void jw_null(struct buf *out, const char *key);
void jw_str(struct buf *out, const char *key, const char *v);           /* NULL writes null */
void jw_real(struct buf *out, const char *key, double v, int decimals); /* fixed point; NaN and infinities write null */
void jw_json(struct buf *out, const char *key, const char *json);       /* text that is JSON already */

/* The OpenRPC document of rpc.discover, made from op.h. `version` is the server's. */
void discover_write(struct buf *out, const char *version);

#endif
