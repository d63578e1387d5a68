/*
 * The users whose processes have come: their names, how many sessions each has, and how much each may still say in the
 * log by being refused. A few entries as a rule; those without a session are given up when they are many. Loop only.
 */
#ifndef ALTERD_SERVER_USERS_H
#define ALTERD_SERVER_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct user {
	uid_t uid;
	size_t sessions;
	bool named;
	char name[64];        /* "" where nobody knows it; once `named` */
	uint64_t window_ms;   /* when its present window of denials began; 0 = none */
	unsigned told;        /* denials told in it */
	uint64_t passed_over; /* and not told */
};

struct users {
	struct user *at;
	size_t count, room;
};

/* The user's entry, made if there is none; good until the next call. */
struct user *user_get(struct users *users, uid_t uid);
/* Its name, looked up when first asked for; NULL where nobody knows it. */
const char *user_name(struct users *users, uid_t uid);
/* "user bob (uid 1001)", "uid 1002". */
#define USER_TEXT 96
void user_text(struct users *users, uid_t uid, char *out, size_t size);
/* Names are looked up anew. */
void users_forget_names(struct users *users);
void users_free(struct users *users);

#endif
