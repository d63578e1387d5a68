/*
 * Ctrl-C while a statement runs.
 *
 * The handler only writes a byte into a pipe. A thread reads it and sends the cancel, since the one that waits for the
 * answer cannot; again and again until that one is back, for a Ctrl-C may come between two pages, when nothing is in
 * flight. The lock holds the connection for the thread: who closes it calls cancel_unwatch() first.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/shell.h"

#define AGAIN_MS 100

static struct {
	pthread_mutex_t lock; /* of conn, asked, ending */
	pthread_cond_t changed;
	pthread_t thread;
	struct alterd_conn *conn;
	int asked; /* what `caught` was when the thread last looked */
	bool started, ending;
	int pipe[2];
} canceller = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static atomic_int caught;

static void on_interrupt(int signo)
{
	int kept = errno;

	(void)signo;
	atomic_fetch_add(&caught, 1);
	(void)!write(canceller.pipe[1], "c", 1);
	errno = kept;
}

/* With the lock: sends until nobody waits any more. At a second Ctrl-C the connection is given up. */
static void send_cancels(void)
{
	while (canceller.conn && canceller.asked && !canceller.ending) {
		struct timespec until;

		if (canceller.asked > 1)
			shutdown(alterd_fd(canceller.conn), SHUT_RDWR);
		else
			alterd_cancel(canceller.conn);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += AGAIN_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&canceller.changed, &canceller.lock, &until);
		canceller.asked = atomic_load(&caught);
	}
}

static void *canceller_main(void *arg)
{
	char c;

	(void)arg;
	for (;;) {
		ssize_t n = read(canceller.pipe[0], &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		pthread_mutex_lock(&canceller.lock);
		canceller.asked = atomic_load(&caught);
		send_cancels();
		bool ending = canceller.ending || n <= 0;
		pthread_mutex_unlock(&canceller.lock);
		if (ending)
			return NULL;
	}
}

void cancel_resume(void)
{
	/* Without SA_RESTART: who waits for a key or a moment is to wake. */
	struct sigaction sa = {.sa_handler = on_interrupt};

	sigemptyset(&sa.sa_mask);
	if (canceller.started)
		sigaction(SIGINT, &sa, NULL);
}

void cancel_start(void)
{
	sigset_t block, before;

	if (pipe2(canceller.pipe, O_CLOEXEC) != 0)
		return;
	/* A full pipe must not stop the handler: one byte is as good as many. */
	(void)fcntl(canceller.pipe[1], F_SETFL, O_NONBLOCK);
	sigfillset(&block);
	pthread_sigmask(SIG_SETMASK, &block, &before);
	canceller.started = pthread_create(&canceller.thread, NULL, canceller_main, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	cancel_resume();
}

void cancel_stop(void)
{
	if (!canceller.started)
		return;
	signal(SIGINT, SIG_DFL);
	pthread_mutex_lock(&canceller.lock);
	canceller.ending = true;
	pthread_cond_signal(&canceller.changed);
	pthread_mutex_unlock(&canceller.lock);
	(void)!write(canceller.pipe[1], "e", 1);
	pthread_join(canceller.thread, NULL);
	canceller.started = false;
	close(canceller.pipe[0]);
	close(canceller.pipe[1]);
}

void cancel_watch(struct alterd_conn *conn)
{
	if (!canceller.started)
		return;
	pthread_mutex_lock(&canceller.lock);
	canceller.conn = conn;
	/* One that came since the line was read is meant for what it asks for. */
	if (atomic_load(&caught) > 0)
		(void)!write(canceller.pipe[1], "c", 1);
	pthread_mutex_unlock(&canceller.lock);
}

bool cancel_unwatch(void)
{
	if (!canceller.started)
		return false;
	pthread_mutex_lock(&canceller.lock);
	canceller.conn = NULL;
	pthread_cond_signal(&canceller.changed);
	pthread_mutex_unlock(&canceller.lock);
	return cancel_asked();
}

bool cancel_asked(void) { return atomic_load(&caught) > 0; }

void cancel_forget(void) { atomic_store(&caught, 0); }
