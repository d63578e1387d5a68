/*
 * A terminal as a screen, by its plainest means: the other buffer, the cursor home, a line after the other.
 *
 * Signals are taken in one place. They only set flags, and are looked at while the program waits for a key; between
 * the look and the wait they are held back, so that none is missed. Only a second Ctrl-C does not wait for anything: it
 * gives the terminal back and ends, with calls that are allowed in a handler.
 */
#include "client/ctl/status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define OPEN "\033[?1049h\033[?25l\033[2J"
#define CLOSE "\033[?25h\033[?1049l"
#define ROWS_UNKNOWN 24
#define COLUMNS_UNKNOWN 80

static struct termios before;
static bool keys_wanted, registered;
static volatile sig_atomic_t is_open, cooked; /* cooked: `before` has been changed */
static volatile sig_atomic_t ended, resized, stopped;
/* Keys that were typed ahead. */
static unsigned char typed[64];
static ssize_t ntyped, at_typed;

static void put(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t w = write(STDOUT_FILENO, text, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		text += w;
		n -= (size_t)w;
	}
}

static void enter(void)
{
	struct termios raw;

	cooked = keys_wanted && tcgetattr(STDIN_FILENO, &before) == 0;
	if (cooked) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	is_open = 1;
	put(OPEN, strlen(OPEN));
}

/* Only what a handler may do. */
static void leave(void)
{
	if (!is_open)
		return;
	is_open = 0;
	put(CLOSE, strlen(CLOSE));
	if (cooked)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	cooked = 0;
}

static void on_signal(int signo)
{
	if (signo == SIGWINCH) {
		resized = 1;
	} else if (signo == SIGTSTP) {
		stopped = 1;
	} else if (ended) {
		leave();
		_exit(128 + signo);
	} else {
		ended = signo;
	}
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

void screen_open(bool keys)
{
	keys_wanted = keys;
	ended = resized = stopped = 0;
	if (!registered)
		registered = atexit(leave) == 0;
	catch_signals();
	enter();
}

void screen_close(void) { leave(); }

void screen_size(int *ret_rows, int *ret_columns)
{
	struct winsize size;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;

	*ret_rows = known ? size.ws_row : ROWS_UNKNOWN;
	*ret_columns = known ? size.ws_col : COLUMNS_UNKNOWN;
}

void screen_draw(const char *text, size_t n)
{
	struct buf out = {0};

	/* What a longer line before has left is taken away behind each, and below the last. */
	buf_puts(&out, "\033[H");
	for (const char *end = text + n; text < end;) {
		const char *line = memchr(text, '\n', (size_t)(end - text));
		size_t len = line ? (size_t)(line - text) : (size_t)(end - text);

		buf_add(&out, text, len);
		text += len + (line != NULL);
		buf_puts(&out, text < end ? "\033[K\r\n" : "\033[K");
	}
	buf_puts(&out, "\033[J");
	if (!out.failed)
		put(out.data, out.len);
	buf_free(&out);
}

/* Ctrl-Z: the shell gets its terminal as it was; fg brings the screen back. */
static void stop(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t only;

	stopped = 0;
	leave();
	sigemptyset(&plain.sa_mask);
	sigaction(SIGTSTP, &plain, NULL);
	sigemptyset(&only);
	sigaddset(&only, SIGTSTP);
	raise(SIGTSTP);
	/* It was held back; this lets it through, and returns when the program goes on. */
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	catch_signals();
	enter();
}

static int look(int ms, const sigset_t *open)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	struct pollfd p = {.fd = cooked ? STDIN_FILENO : -1, .events = POLLIN};
	int n = 0;

	if (at_typed < ntyped)
		return typed[at_typed++];
	if (!ended && !stopped && !resized)
		n = ppoll(&p, 1, &t, open);
	if (ended)
		return SCREEN_END;
	if (stopped) {
		stop();
		return SCREEN_AGAIN;
	}
	if (resized) {
		resized = 0;
		return SCREEN_AGAIN;
	}
	if (n <= 0)
		return SCREEN_TIME;
	at_typed = 0;
	ntyped = read(STDIN_FILENO, typed, sizeof(typed));
	/* The terminal is gone: nobody is there to look. */
	if (ntyped <= 0 || (p.revents & (POLLHUP | POLLERR)))
		return SCREEN_END;
	/* Arrows and the like come as an escape and more: they mean nothing here. */
	if (typed[0] == 0x1b)
		ntyped = 0;
	return ntyped ? typed[at_typed++] : SCREEN_AGAIN;
}

int screen_wait(int ms)
{
	sigset_t held, open;
	int event;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&held, signals[i]);
	sigprocmask(SIG_BLOCK, &held, &open);
	event = look(ms < 0 ? 0 : ms, &open);
	sigprocmask(SIG_SETMASK, &open, NULL);
	return event;
}

void screen_raise(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	int signo = ended;

	if (!signo || signo == SIGINT)
		return;
	sigemptyset(&plain.sa_mask);
	sigaction(signo, &plain, NULL);
	raise(signo);
}
