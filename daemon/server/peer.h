/*
 * What the kernel knows of the process at the other end of a Unix socket.
 */
#ifndef ALTERD_SERVER_PEER_H
#define ALTERD_SERVER_PEER_H

#include <sys/types.h>

#include "config/access.h"
#include "proto/op.h"

/* As they were at connect(): a socket that is passed on keeps its first owner's. */
struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/* Returns 0, or -1 with errno. */
int peer_read(int fd, struct peer *ret);
/*
 * What the rules say of it. Its supplementary groups are read from `fd` where the rules name groups; they, too, are as
 * they were at connect().
 */
enum role peer_role(const struct access *rules, int fd, const struct peer *peer);
/* "ro", "rw", "migrate", "admin", "none" */
const char *peer_role_name(enum role role);

enum peer_state {
	PEER_THERE, /* can send and receive */
	PEER_HALF,  /* sends no more, still receives: a one-shot client waiting for its answers */
	PEER_GONE,  /* nobody is there */
};

enum peer_state peer_state(int fd);

#endif
