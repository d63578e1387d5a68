/* A table walked from its beginning: it has as many rows as there are users, which is few. */
#include "daemon/server/users.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/lib/check.h"

/* Entries beyond which those without a session are used again. Who has many uids can make no more of them. */
#define USERS_KEPT 256

static struct user *find(const struct users *users, uid_t uid)
{
	for (size_t i = 0; i < users->count; i++)
		if (users->at[i].uid == uid)
			return &users->at[i];
	return NULL;
}

/* One that nobody needs, rather one that has nothing left to tell; NULL while there may be more. */
static struct user *spare(const struct users *users)
{
	struct user *found = NULL;

	for (size_t i = 0; users->count >= USERS_KEPT && i < users->count; i++) {
		struct user *u = &users->at[i];

		if (u->sessions == 0 && (!found || (found->passed_over > 0 && u->passed_over == 0)))
			found = u;
	}
	return found;
}

static struct user *append(struct users *users)
{
	if (users->count == users->room) {
		size_t room = users->room ? users->room * 2 : 16;
		struct user *grown = realloc(users->at, room * sizeof *grown);

		CHECK(grown);
		users->at = grown;
		users->room = room;
	}
	return &users->at[users->count++];
}

struct user *user_get(struct users *users, uid_t uid)
{
	struct user *u = find(users, uid);

	if (u)
		return u;
	u = spare(users);
	if (!u)
		u = append(users);
	*u = (struct user){.uid = uid};
	return u;
}

const char *user_name(struct users *users, uid_t uid)
{
	struct user *u = user_get(users, uid);
	struct passwd entry, *found = NULL;
	char text[4096];

	if (!u->named && getpwuid_r(uid, &entry, text, sizeof text, &found) == 0 && found)
		(void)snprintf(u->name, sizeof u->name, "%s", found->pw_name);
	u->named = true;
	return u->name[0] ? u->name : NULL;
}

void user_text(struct users *users, uid_t uid, char *out, size_t size)
{
	const char *name = user_name(users, uid);

	if (name)
		(void)snprintf(out, size, "user %s (uid %lu)", name, (unsigned long)uid);
	else
		(void)snprintf(out, size, "uid %lu", (unsigned long)uid);
}

void users_forget_names(struct users *users)
{
	for (size_t i = 0; i < users->count; i++) {
		users->at[i].named = false;
		users->at[i].name[0] = '\0';
	}
}

void users_free(struct users *users)
{
	free(users->at);
	*users = (struct users){0};
}
