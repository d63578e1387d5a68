/* The journal's native protocol; see journal.h. */
#include "daemon/lib/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int journal_open(struct journal *j, const char *path)
{
	size_t len = strlen(path);

	*j = (struct journal){.fd = -1, .address.sun_family = AF_UNIX};
	if (len == 0 || len >= sizeof(j->address.sun_path) || access(path, F_OK) != 0)
		return -1;
	memcpy(j->address.sun_path, path, len);
	j->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return j->fd < 0 ? -1 : 0;
}

void journal_close(struct journal *j)
{
	if (j->fd >= 0)
		(void)close(j->fd);
	j->fd = -1;
}

void journal_field(struct buf *entry, const char *name, const char *value, size_t n)
{
	buf_puts(entry, name);
	if (memchr(value, '\n', n)) {
		unsigned char size[8];

		for (size_t i = 0; i < sizeof(size); i++)
			size[i] = (unsigned char)((uint64_t)n >> 8 * i);
		buf_putc(entry, '\n');
		buf_add(entry, size, sizeof(size));
	} else {
		buf_putc(entry, '=');
	}
	buf_add(entry, value, n);
	buf_putc(entry, '\n');
}

void journal_text(struct buf *entry, const char *name, const char *value)
{
	journal_field(entry, name, value, strlen(value));
}

/* The journal takes the message as it is, or not at all. */
static int send_message(const struct journal *j, struct msghdr message)
{
	struct sockaddr_un to = j->address; /* not const in a msghdr */
	ssize_t n;

	message.msg_name = &to;
	message.msg_namelen = j->address_len;
	do
		n = sendmsg(j->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static int fill(int fd, const struct buf *entry)
{
	for (size_t at = 0; at < entry->len;) {
		ssize_t n = write(fd, entry->data + at, entry->len - at);

		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	/* The reader trusts a file that nobody can change any more. */
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

static int send_as_file(const struct journal *j, const struct buf *entry)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	int fd = memfd_create("alterd-log", MFD_CLOEXEC | MFD_ALLOW_SEALING), rc = -1;

	if (fd < 0)
		return -1;
	if (fill(fd, entry) == 0) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
		rc = send_message(j, message);
	}
	(void)close(fd);
	return rc;
}

int journal_send(const struct journal *j, const struct buf *entry)
{
	struct iovec bytes = {.iov_base = entry->data, .iov_len = entry->len};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	if (send_message(j, message) == 0)
		return 0;
	return errno == EMSGSIZE || errno == ENOBUFS ? send_as_file(j, entry) : -1;
}
