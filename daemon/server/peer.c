/* Credentials by SO_PEERCRED, presence by poll(2). */
#include "daemon/server/peer.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int peer_read(int fd, struct peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return -1;
	*ret = (struct peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
	return 0;
}

enum role peer_role(const struct peer *peer) { return peer->uid == 0 || peer->uid == geteuid() ? ROLE_ADMIN : ROLE_RW; }

const char *peer_role_name(enum role role)
{
	static const char *const names[] = {
		[ROLE_NONE] = "none",       [ROLE_RO] = "ro",       [ROLE_RW] = "rw",
		[ROLE_MIGRATE] = "migrate", [ROLE_ADMIN] = "admin",
	};

	return names[role];
}

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
