/* Users by name. */
#ifndef ALTERD_MIGRATE_WHO_H
#define ALTERD_MIGRATE_WHO_H

#include <stdint.h>

#include "daemon/migrate/pool.h"

/* The user's name, or "uid 1000" where the number has none. May look into files: lanes, not the loop. */
const char *who_is(struct pool *pool, uint32_t uid);

#endif
