/* The instance lock; see lock.h. */
#include "daemon/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/buf.h"

int store_lock(const char *path, int *ret_fd, int *ret_exit, struct error *err)
{
	struct buf name = {0};
	/* Through links: by whichever name it is opened, it is the same file. One not made yet has no other name. */
	char *real = realpath(path, NULL);

	buf_printf(&name, "%s.alterd-lock", real ? real : path);
	free(real);
	int fd = open(buf_cstr(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		*ret_exit = errno == EACCES || errno == EPERM || errno == EROFS ? EX_NOPERM : EX_IOERR;
		error_set(err, ERRC_INTERNAL, "the lock file %s: %s", buf_cstr(&name), strerror(errno));
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		*ret_exit = EX_TEMPFAIL;
		error_set(err, ERRC_BUSY, "another alterd owns %s (it holds %s)", path, buf_cstr(&name));
		close(fd);
	} else {
		*ret_fd = fd;
	}
	buf_free(&name);
	return error_is_set(err) ? -1 : 0;
}
