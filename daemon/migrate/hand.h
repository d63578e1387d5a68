/* What the files share that make a plan of a rebuild written by hand: plan_byhand.c, hand_map.c, hand_objects.c. */
#ifndef ALTERD_MIGRATE_HAND_H
#define ALTERD_MIGRATE_HAND_H

#include "daemon/migrate/byhand.h"
#include "daemon/migrate/listing.h"
#include "daemon/migrate/plan_internal.h"

struct hand {
	struct planning *p;
	const struct script *script;
	const struct script_kind *kinds;
	struct byhand words;
	sqlite3 *db; /* the schema as the statements leave it */
	struct listing before, after;
	struct schema_table *target;
};

/* Says why it is not run online. */
int hand_refuse(struct hand *h, const char *why);
/* A table that the script creates beside the rebuild; empty then. */
bool hand_is_new(const struct hand *h, const char *table);
bool hand_same(const struct listed *a, const struct listed *b);

/* The map, from the SELECT's values; what it leaves out. */
int hand_map(struct hand *h);
/* The plan's indexes: kept, fresh and dropped. */
int hand_indexes(struct hand *h);
/* The plan's objects: what goes and comes with the swap. */
void hand_objects(struct hand *h);
/* Warnings: what is not made again; what no longer works. */
void hand_warn(struct hand *h);
int hand_broken(struct planning *p);

#endif
