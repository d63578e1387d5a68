/*
 * A private alterd on a scratch file in a private folder: what a folder of migrations does is tried there, without
 * anybody's database.
 *
 * It belongs to this program and ends with it: a signal kills it, so that the call it is in fails and the way out is
 * the ordinary one; and where this program itself is killed, the kernel ends it (PR_SET_PDEATHSIG).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/scratch.h"

/* Looking for the daemon's socket, and for how long. */
#define LOOK_MS 5
#define LOOKS_MAX 12000
#define LOG_SHOWN 400

static volatile sig_atomic_t child, caught;

static void on_signal(int signo)
{
	caught = signo;
	if (child > 0)
		kill((pid_t)child, SIGKILL);
}

static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal};

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

int scratch_interrupted(void) { return caught ? 128 + (int)caught : 0; }

/* ---- which alterd ---- */

static bool runs(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool runs_in(const char *folder, size_t n, const char *below, struct buf *ret)
{
	buf_reset(ret, 4096);
	buf_add(ret, folder, n);
	buf_printf(ret, "/%salterd", below);
	return runs(buf_cstr(ret));
}

/* Beside this program, where a build or an installation has put it; then $PATH; then where it would be installed. */
static bool find_alterd(struct buf *ret)
{
	const char *path = getenv("PATH");
	char own[4096];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	own[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(own, '/');
	if (slash &&
	    (runs_in(own, (size_t)(slash - own), "", ret) || runs_in(own, (size_t)(slash - own), "../sbin/", ret)))
		return true;
	for (const char *p = path ? path : "", *end; *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, ':');
		if (end > p && runs_in(p, (size_t)(end - p), "", ret))
			return true;
	}
	return runs_in(ALTERD_SBINDIR, strlen(ALTERD_SBINDIR), "", ret);
}

/* ---- its folder ---- */

static int make_folder(struct scratch *s)
{
	const char *tmp = getenv("TMPDIR");
	struct sockaddr_un address;

	/* A socket's path is short; a folder of some length is no reason to fail. */
	if (!tmp || !*tmp || strlen(tmp) + sizeof("/alterctl-XXXXXX/s") > sizeof(address.sun_path))
		tmp = "/tmp";
	(void)snprintf(s->folder, sizeof(s->folder), "%s/alterctl-XXXXXX", tmp);
	if (mkdtemp(s->folder))
		return 0;
	say("cannot make a private folder in %s: %s", tmp, strerror(errno));
	s->folder[0] = '\0';
	return EXIT_FAILED;
}

static void remove_folder(struct scratch *s)
{
	DIR *dir = s->folder[0] ? opendir(s->folder) : NULL;
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	if (s->folder[0])
		(void)rmdir(s->folder);
	s->folder[0] = '\0';
}

/* ---- its life ---- */

/* In the child: becomes alterd, or leaves with 127. */
static void become(const char *program, const struct scratch *s, pid_t parent)
{
	static const char *const foreign[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
					      "LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES"};
	struct buf database = {0}, socket = {0}, log = {0};
	int in = open("/dev/null", O_RDONLY), out;

	/* Its own group: Ctrl-C on the terminal is for us to hand on. */
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		(void)unsetenv(foreign[i]);
	buf_printf(&database, "%s/db", s->folder);
	buf_printf(&socket, "%s/s", s->folder);
	buf_printf(&log, "%s/log", s->folder);
	out = open(buf_cstr(&log), O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(127);
	/* Nothing here has to survive a power cut, and nobody else waits for the writer. */
	execl(program, program, "--database", buf_cstr(&database), "--socket", buf_cstr(&socket), "--set",
	      "store.synchronous=normal", "--set", "store.disk_reserve=0", "--set", "migrate.duty=100", "--set",
	      "server.drain=0ms", "--set", "server.page_bytes=64MiB", "--set", "limits.read_time=60min", (char *)NULL);
	_exit(127);
}

static bool has_left(struct scratch *s)
{
	int status;

	if (s->pid <= 0 || waitpid(s->pid, &status, WNOHANG) != s->pid)
		return s->pid <= 0;
	child = 0;
	s->pid = 0;
	return true;
}

/* What it said last. */
static void tell_log(const struct scratch *s)
{
	struct buf path = {0}, safe = {0};
	char text[LOG_SHOWN];
	ssize_t n = 0;

	buf_printf(&path, "%s/log", s->folder);
	int fd = open(buf_cstr(&path), O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (lseek(fd, -(off_t)sizeof(text), SEEK_END) < 0)
			(void)lseek(fd, 0, SEEK_SET);
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	if (n > 0)
		text_safe(&safe, text, (size_t)n);
	say("the private alterd has ended: %s", safe.len ? buf_cstr(&safe) : "it said nothing");
	buf_free(&path);
	buf_free(&safe);
}

static int connect_to(struct ctl *c, struct scratch *s)
{
	struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
	char path[sizeof(s->folder) + 2];

	(void)snprintf(path, sizeof(path), "%s/s", s->folder);
	for (int i = 0; i < LOOKS_MAX && !caught; i++) {
		if (has_left(s)) {
			if (!caught)
				tell_log(s);
			return caught ? scratch_interrupted() : EXIT_FAILED;
		}
		if (alterd_connect(path, &s->conn) == 0)
			return alterd_hello(s->conn, "alterctl/" ALTERD_VERSION, 0, -1) == 0 ? 0 : scratch_failed(c, s);
		alterd_close(s->conn);
		s->conn = NULL;
		nanosleep(&look, NULL);
	}
	if (!caught)
		say("the private alterd does not answer");
	return caught ? scratch_interrupted() : EXIT_RETRY;
}

int scratch_start(struct ctl *c, struct scratch *s)
{
	struct buf program = {0};
	pid_t self = getpid();
	int code;

	*s = (struct scratch){0};
	catch_signals();
	if (!find_alterd(&program)) {
		say("no alterd beside alterctl, in $PATH or in " ALTERD_SBINDIR);
		buf_free(&program);
		return EXIT_UNREACHABLE;
	}
	code = make_folder(s);
	if (!code) {
		s->pid = fork();
		if (s->pid == 0)
			become(buf_cstr(&program), s, self);
		child = s->pid > 0 ? s->pid : 0;
		/* A signal between the two lines above found nobody to kill. */
		if (caught && s->pid > 0)
			kill(s->pid, SIGKILL);
		code = s->pid > 0 ? connect_to(c, s) : EXIT_FAILED;
	}
	if (code)
		scratch_stop(s);
	buf_free(&program);
	return code;
}

void scratch_stop(struct scratch *s)
{
	alterd_close(s->conn);
	s->conn = NULL;
	child = 0;
	if (s->pid > 0) {
		/* There is nothing in its file that anybody wants. */
		kill(s->pid, SIGKILL);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	s->pid = 0;
	remove_folder(s);
}

int scratch_failed(const struct ctl *c, struct scratch *s)
{
	return caught ? scratch_interrupted() : ctl_failed(c, s->conn);
}
