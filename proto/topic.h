/*
 * What one can subscribe to, once. X(ID, "name on the wire", least role, "one line")
 */
#ifndef ALTERD_PROTO_TOPIC_H
#define ALTERD_PROTO_TOPIC_H

#include "proto/op.h"

#define TOPIC_MAP(X)                                                                                                   \
	X(MIGRATION, "migration", ROLE_RO, "what becomes of jobs, and the version that is reached")                    \
	X(SCHEMA, "schema", ROLE_RO, "tables that are made, changed or dropped, and the version")                      \
	X(CHANGES, "changes", ROLE_RO, "rows changed by each transaction that is committed")                           \
	X(LOG, "log", ROLE_ADMIN, "lines of the daemon's log")                                                         \
	X(SESSION, "session", ROLE_ADMIN, "clients that come and go")

enum topic {
#define X(id, name, role, doc) TOPIC_##id,
	TOPIC_MAP(X)
#undef X
		TOPIC_COUNT
};

/* As the bits of a mask. */
#define TOPIC_BIT(topic) (1U << (topic))

/* Tables that a subscription may name, and bytes of a name. */
#define SUBSCRIBE_TABLES_MAX 100
#define SUBSCRIBE_NAME_MAX 255

const char *topic_name(enum topic topic);
enum role topic_role(enum topic topic);

#endif
