/*
 * `alterd --rehearse COPY`: the process in which a daemon has a run of migrations rehearsed
 * (daemon/migrate/rehearsal.h).
 *
 * It is nobody's daemon: no socket, no signals of its own. It goes when the daemon goes, at the latest by the kernel's
 * hand, and gets what nobody else wants of processor and disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/rehearsal.h"
#include "daemon/server/internal.h"
#include "daemon/store/backup.h"
#include "daemon/store/remove.h"

/* ioprio_set(2) has no wrapper: for this process, the class that is served when no other wants to be. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13)
/* What the parent may tell: its settings and a request with all files. */
#define TOLD_MAX ((size_t)64 << 20)

struct order {
	long parent;
	struct buf text; /* all that was told */
	const char *settings, *request;
	size_t settings_len, request_len;
};

/* Each as far as it goes: a container or systemd's filter may not let it. */
static void step_back(void)
{
	static const char likely[] = "800";
	struct sched_param none = {0};
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (setpriority(PRIO_PROCESS, 0, 19) != 0 || sched_setscheduler(0, SCHED_IDLE, &none) != 0 ||
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE) != 0)
		log_debug("server", "the rehearsal cannot give up its priority: %s", strerror(errno));
	/* Where memory runs out, this goes before the daemon does. */
	if (fd >= 0) {
		(void)!write(fd, likely, sizeof(likely) - 1);
		(void)close(fd);
	}
}

/* The number that stands at *at, which moves behind it; 0 where there is none. */
static size_t take_number(const char **at)
{
	char *end;
	size_t n = strtoul(*at, &end, 10);

	*at = end;
	return n;
}

static int read_order(struct order *o, struct error *err)
{
	char piece[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0 && o->text.len < TOLD_MAX)
		buf_add(&o->text, piece, (size_t)n);
	const char *text = buf_cstr(&o->text), *at = text;
	o->parent = (long)take_number(&at);
	o->settings_len = take_number(&at);
	o->request_len = take_number(&at);
	if (o->parent == 0 || *at != '\n' || o->settings_len > o->text.len || o->request_len > o->text.len ||
	    (size_t)(at + 1 - text) + o->settings_len + o->request_len != o->text.len)
		return error_set(err, ERRC_INVALID_REQUEST, "--rehearse is for a daemon to start, not for people");
	o->settings = at + 1;
	o->request = o->settings + o->settings_len;
	/* It may have gone before the kernel was told what to do then. */
	if (getppid() != (pid_t)o->parent)
		return error_set(err, ERRC_SHUTTING_DOWN, "the daemon is gone");
	return 0;
}

static int read_settings(const struct order *o, struct config *config, struct error *err)
{
	enum log_level level;

	config_init(config);
	if (config_read_text(config, "settings", o->settings, o->settings_len, err) != 0)
		return -1;
	/* What it does is told by its answer. */
	if (log_level_by_name(config->log_level, &level))
		log_set_level(level == LOG_LEVEL_INFO ? LOG_LEVEL_WARNING : level);
	return 0;
}

static int copy(const struct config *config, const char *path, struct error *err)
{
	uint64_t start = clock_now_ns();
	int64_t bytes = 0;

	if (backup_for_once(config->store_database, path, config->store_disk_reserve, &bytes, err) != 0)
		return -1;
	(void)printf("copied %" PRId64 " %" PRIu64 "\n", bytes, (clock_now_ns() - start) / NS_PER_MS);
	(void)fflush(stdout);
	return 0;
}

static int run_on_copy(const struct config *config, const char *path, const struct request *request, struct buf *out,
		       struct error *err)
{
	struct store_config store;
	struct migrator_config migrator;
	struct store *s = NULL;
	uv_loop_t loop;
	int exit_code, rc = -1;

	server_store_config(config, &store);
	server_migrator_config(config, &migrator);
	store.path = path;
	/* A copy needs no power cut to be survived, and clients' syncs would wait for its own. */
	store.synchronous_full = false;
	store.checkpoint_external = false;
	migrator.folder = "";
	migrator.try_folder = "";
	CHECK(uv_loop_init(&loop) == 0);
	if (store_open(&store, &loop, &s, &exit_code, err) == 0) {
		rc = rehearse(s, &loop, &migrator, request, out, err);
		store_close(s);
	}
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	return rc;
}

static int work(struct order *o, struct config *config, const char *path, struct buf *out, struct error *err)
{
	struct request *request = NULL;
	struct reqid id;
	char *id_text = NULL;
	bool notification;

	if (read_order(o, err) != 0 || read_settings(o, config, err) != 0)
		return -1;
	int rc = request_decode(o->request, o->request_len, &request, &id, &id_text, &notification, err);
	if (rc == 0)
		rc = copy(config, path, err);
	if (rc == 0)
		rc = run_on_copy(config, path, request, out, err);
	if (request)
		database_remove(path);
	request_free(request);
	free(id_text);
	return rc;
}

int server_rehearse(const char *path)
{
	struct order o = {0};
	struct config config = {0};
	struct buf out = {0};
	struct error err = {0};

	step_back();
	store_init(); /* the copy is made before there is a store */
	if (work(&o, &config, path, &out, &err) == 0)
		(void)printf("done\n%s", buf_cstr(&out));
	else
		(void)printf("error %d %s\n%s", (int)err.code, err.name, err.message);
	(void)fflush(stdout);
	buf_free(&out);
	buf_free(&o.text);
	config_free(&config);
	error_clear(&err);
	return EX_OK;
}
