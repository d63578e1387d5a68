/* Where output goes: gathered, and written in large pieces. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/ctl/shell.h"

#define SINK_BYTES ((size_t)64 << 10)

bool sink_flush(struct sink *s)
{
	size_t done = 0;

	if (s->b.failed && !s->dead) {
		say("out of memory for the output");
		s->dead = true;
	}
	while (!s->dead && done < s->b.len) {
		ssize_t n = write(s->fd, s->b.data + done, s->b.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			s->dead = true;
			s->failed = errno != EPIPE;
			if (s->failed)
				say("cannot write the output: %s", strerror(errno));
			break;
		}
		done += (size_t)n;
	}
	buf_reset(&s->b, SINK_BYTES * 2);
	return !s->dead;
}

void sink_look(struct sink *s)
{
	struct winsize size;

	if (s->tty && ioctl(s->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		s->width = size.ws_col;
}

bool sink_offer(struct sink *s) { return s->b.len < SINK_BYTES && !s->b.failed ? !s->dead : sink_flush(s); }
