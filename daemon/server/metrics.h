/*
 * Counters and gauges as Prometheus' text format 0.0.4.
 */
#ifndef ALTERD_SERVER_METRICS_H
#define ALTERD_SERVER_METRICS_H

#include "proto/buf.h"

struct server;
struct stats;

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends all there is. */
void metrics_write(struct server *server, struct buf *out);
/* alterd_errors_total: a sample for each name. */
void metrics_write_errors(const struct stats *stats, struct buf *out);
/* A label's value, quoted and escaped: it may come from a client. Bytes that are no UTF-8 become U+FFFD. */
void metrics_label(struct buf *out, const char *value);

#endif
