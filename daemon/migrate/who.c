/* Names of users; see who.h. */
#include "daemon/migrate/who.h"

#include <pwd.h>

const char *who_is(struct pool *pool, uint32_t uid)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (getpwuid_r((uid_t)uid, &entry, text, sizeof(text), &found) == 0 && found)
		return pool_str(pool, found->pw_name);
	return pool_printf(pool, "uid %u", uid);
}
