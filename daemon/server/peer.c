/* Credentials by SO_PEERCRED and SO_PEERGROUPS, presence by poll(2). */
#include "daemon/server/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/lib/check.h"

#define GROUPS_AT_FIRST 64
/* The kernel's own limit (NGROUPS_MAX). */
#define GROUPS_MAX 65536

int peer_read(int fd, struct peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return -1;
	*ret = (struct peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
	return 0;
}

/* All of them, as a block to be freed; NULL if there are none, or the kernel does not tell. */
static gid_t *read_groups(int fd, size_t *ret_n)
{
	socklen_t len = GROUPS_AT_FIRST * sizeof(gid_t);
	gid_t *groups = xmalloc(len);

	/* Where they are more, `len` says how many. They do not change any more, so the second time is enough. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0) {
		int why = errno;

		free(groups);
		groups = NULL;
		if (why == ERANGE && len <= GROUPS_MAX * sizeof(gid_t))
			groups = xmalloc(len);
		if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0) {
			free(groups);
			groups = NULL;
		}
	}
	*ret_n = groups ? len / sizeof(gid_t) : 0;
	return groups;
}

enum role peer_role(const struct access *rules, int fd, const struct peer *peer)
{
	size_t n = 0;
	gid_t *groups = access_asks_for_groups(rules) ? read_groups(fd, &n) : NULL;
	enum role role = access_role(rules, peer->uid, peer->gid, groups, n, geteuid());

	free(groups);
	return role;
}

const char *peer_role_name(enum role role) { return role_name(role); }

/* A read of 0 bytes does not tell a client that shut its sending side down from one that closed; the poll flags do. */
enum peer_state peer_state(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	int n;

	do {
		n = poll(&p, 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return PEER_THERE;
	if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
		return PEER_GONE;
	return p.revents & POLLRDHUP ? PEER_HALF : PEER_THERE;
}
