/*
 * The daemon's side of a rehearsal: starts the process, hears what it says, removes what it leaves.
 *
 *     rehearsal_start -> at work --its pipe and itself have ended--> removing --files gone, handles closed--> ended
 */
#include "daemon/migrate/rehearsal.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/file_task.h"
#include "daemon/store/codes.h"
#include "daemon/store/remove.h"
#include "proto/response.h"

/* How often it is looked whether the snapshot that is being copied holds up the log. */
#define WATCH_MS 100
/* What it may say: a line or so for each version, and ten rows of one. */
#define SAID_MAX ((size_t)8 << 20)
#define SAID_COPIED "copied "

struct rehearsal {
	struct file_task *t;
	void (*ended)(struct file_task *t);
	struct migrator *m;
	char *copy;
	uv_process_t process;
	uv_pipe_t in, out;
	uv_timer_t watch;
	uv_write_t write;
	uv_fs_t removal;
	uv_buf_t asked[3];
	struct buf head, request, said;
	size_t removed;   /* of database_tails */
	int open_handles; /* whose close callback has not come */
	bool spawned, exited, heard, stopped;
	int64_t status;
	int signal;
	struct error err;
};

/* A name for the database among others in one folder: FNV-1a of its path. */
static uint64_t digest_of(const char *path)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * UINT64_C(1099511628211);
	return h;
}

char *rehearsal_path(const char *database, const char *folder)
{
	char *real = realpath(database, NULL), *copy = xstrdup(real ? real : database), *path = NULL;
	int n = folder && *folder ? asprintf(&path, "%s/%s-%016llx.alterd-try", folder, basename(copy),
					     (unsigned long long)digest_of(real ? real : database))
				  : asprintf(&path, "%s.alterd-try", copy);

	CHECK(n >= 0);
	free(copy);
	free(real);
	return path;
}

void rehearsal_clean(const struct migrator *m)
{
	char *path = rehearsal_path(store_get_config(m->s)->path, m->config.try_folder);

	database_remove(path);
	free(path);
}

/* --- the end --- */

/* "error <code> <name>\n<text>" */
static void take_error(struct rehearsal *r, const char *said)
{
	static const char begin[] = "error ";
	const char *text = strchr(said, '\n');

	if (strncmp(said, begin, strlen(begin)) != 0 || !text)
		return;
	int code = (int)strtol(said + strlen(begin), NULL, 10);
	text++;
	for (int i = 0; i < ERRC_COUNT && code < 0; i++)
		if (errc_code((enum errc)i) == code) {
			error_set(&r->err, (enum errc)i, "%s", text);
			return;
		}
	if (code > 0)
		error_set_sqlite(&r->err, code, sqlite_code_name(code), "%s", text);
}

/* What the process has said, or how it ended. */
static void take_answer(struct rehearsal *r)
{
	struct buf *out = &r->t->answer;
	const char *said = buf_cstr(&r->said);
	long long bytes = 0, ms = 0;

	if (error_is_set(&r->err))
		return;
	if (strncmp(said, SAID_COPIED, strlen(SAID_COPIED)) == 0) {
		char *at;
		bytes = strtoll(said + strlen(SAID_COPIED), &at, 10);
		ms = strtoll(at, &at, 10);
		said = *at == '\n' ? at + 1 : at;
	}
	if (strncmp(said, "done\n", 5) == 0 && r->status == 0) {
		jw_key(out, "try");
		jw_open(out, '{');
		jw_int(out, "bytes", bytes);
		jw_int(out, "copy_ms", ms);
		buf_printf(out, ",%s", said + 5);
		jw_close(out, '}');
		return;
	}
	take_error(r, said);
	if (error_is_set(&r->err))
		return;
	if (r->signal)
		error_set(&r->err, ERRC_INTERNAL, "the rehearsal was ended by signal %d", r->signal);
	else
		error_set(&r->err, ERRC_INTERNAL, "the rehearsal ended with code %lld: the log may say why",
			  (long long)r->status);
}

static void free_rehearsal(struct rehearsal *r)
{
	struct file_task *t = r->t;
	void (*ended)(struct file_task * t) = r->ended;

	take_answer(r);
	if (error_is_set(&r->err))
		error_move(&t->err, &r->err);
	r->m->rehearsal = NULL;
	buf_free(&r->head);
	buf_free(&r->request);
	buf_free(&r->said);
	error_clear(&r->err);
	free(r->copy);
	free(r);
	ended(t);
}

static void on_closed(uv_handle_t *handle)
{
	struct rehearsal *r = handle->data;

	if (--r->open_handles == 0)
		free_rehearsal(r);
}

static void close_handles(struct rehearsal *r)
{
	uv_handle_t *handles[] = {(uv_handle_t *)&r->process, (uv_handle_t *)&r->in, (uv_handle_t *)&r->out,
				  (uv_handle_t *)&r->watch};

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		if (uv_is_closing(handles[i]))
			continue;
		handles[i]->data = r;
		uv_close(handles[i], on_closed);
	}
}

static void remove_next(struct rehearsal *r);

static void on_removed(uv_fs_t *req)
{
	struct rehearsal *r = req->data;

	uv_fs_req_cleanup(req);
	r->removed++;
	remove_next(r);
}

/* To take a large file away takes a while: not on the loop. */
static void remove_next(struct rehearsal *r)
{
	const char *tail = database_tails[r->removed];
	char path[4096];

	if (!tail) {
		close_handles(r);
		return;
	}
	snprintf(path, sizeof(path), "%s%s", r->copy, tail);
	r->removal.data = r;
	if (uv_fs_unlink(r->m->loop, &r->removal, path, on_removed) != 0) {
		database_remove(r->copy);
		close_handles(r);
	}
}

static void settle(struct rehearsal *r)
{
	if (r->exited && r->heard)
		remove_next(r);
}

/* --- at work --- */

void rehearsal_stop(struct rehearsal *r)
{
	if (r->stopped || r->exited)
		return;
	r->stopped = true;
	(void)uv_process_kill(&r->process, SIGKILL);
	if (!error_is_set(&r->err))
		error_set(&r->err, ERRC_SHUTTING_DOWN, "the rehearsal was stopped");
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
	struct rehearsal *r = process->data;

	r->exited = true;
	r->status = status;
	r->signal = signal;
	settle(r);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	(void)handle;
	(void)suggested;
	*ret = uv_buf_init(xmalloc(4096), 4096);
}

static void on_said(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct rehearsal *r = stream->data;

	if (n > 0 && r->said.len + (size_t)n <= SAID_MAX)
		buf_add(&r->said, b->base, (size_t)n);
	else if (n > 0)
		rehearsal_stop(r);
	free(b->base);
	if (n >= 0)
		return;
	r->heard = true;
	(void)uv_read_stop(stream);
	settle(r);
}

/* Its last words are heard either way: what it was not told it says itself. */
static void on_asked(uv_write_t *write, int status)
{
	struct rehearsal *r = write->data;

	(void)status;
	if (!uv_is_closing((uv_handle_t *)&r->in))
		uv_close((uv_handle_t *)&r->in, on_closed);
}

/* The snapshot that is copied keeps the log from beginning anew. It goes before a client's would have to. */
static void on_watch(uv_timer_t *timer)
{
	struct rehearsal *r = timer->data;
	struct store_stats st;

	if (r->stopped || r->exited || strncmp(buf_cstr(&r->said), SAID_COPIED, strlen(SAID_COPIED)) == 0)
		return;
	store_stats(r->m->s, &st);
	if (st.wal_bytes <= store_get_config(r->m->s)->wal_hard_bytes)
		return;
	error_set(&r->err, ERRC_BUSY,
		  "so much was written while the copy was made that the write-ahead log is above store.wal_hard_cap");
	rehearsal_stop(r);
}

/* --- the beginning --- */

static void write_request(struct rehearsal *r)
{
	const struct file_task *t = r->t;
	struct buf *out = &r->request;
	bool down = t->run.at[0].down;

	jw_open(out, '{');
	jw_int(out, "id", 1);
	jw_str(out, "method", down ? "migrate.down" : "migrate.up");
	jw_key(out, "params");
	jw_open(out, '{');
	jw_int(out, "steps", (int64_t)t->run.n);
	jw_bool(out, "allow_data_loss", t->options.allow_data_loss);
	if (!down)
		jw_bool(out, "allow_out_of_order", t->options.allow_out_of_order);
	if (t->has_folder) {
		jw_str(out, "format", folder_format_name(t->format));
		jw_key(out, "files");
		jw_open(out, '[');
		for (size_t i = 0; i < t->nfiles; i++) {
			jw_open(out, '{');
			jw_str(out, "name", t->files[i].name);
			jw_key(out, "sql");
			json_write_string(out, t->files[i].text, t->files[i].len);
			jw_close(out, '}');
		}
		jw_close(out, ']');
	}
	jw_close(out, '}');
	jw_close(out, '}');
}

/* Room for the copy, for what the largest change makes beside it, and for a log. */
static int look_at_space(const struct file_task *t, const char *copy, struct error *err)
{
	const struct store_config *c = store_get_config(t->m->s);
	int64_t needs = t->db_bytes + t->needs_bytes;
	char *path = xstrdup(copy);
	struct statvfs disk;

	needs += needs < c->wal_cap_bytes ? needs : c->wal_cap_bytes;
	int rc = statvfs(dirname(path), &disk);
	free(path);
	if (rc != 0)
		return error_set_sqlite(err, SQLITE_CANTOPEN, "SQLITE_CANTOPEN", "the folder of the copy %.300s: %s",
					copy, strerror(errno));
	int64_t left = (int64_t)(disk.f_bavail * disk.f_frsize) - c->disk_reserve_bytes;
	if (needs <= left)
		return 0;
	return error_set_sqlite(err, SQLITE_FULL, "SQLITE_FULL",
				"a rehearsal needs about %lld bytes beside %.300s, and %lld are free beyond "
				"store.disk_reserve",
				(long long)needs, copy, (long long)(left > 0 ? left : 0));
}

static int spawn(struct rehearsal *r)
{
	char exe[] = "/proc/self/exe", name[] = "alterd", option[] = "--rehearse";
	char *args[] = {name, option, r->copy, NULL};
	uv_stdio_container_t stdio[] = {
		{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&r->in},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&r->out},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
	};
	uv_process_options_t options = {
		.exit_cb = on_ended, .file = exe, .args = args, .stdio = stdio, .stdio_count = 3};

	return uv_spawn(r->m->loop, &r->process, &options);
}

static void tell(struct rehearsal *r)
{
	const char *settings = r->m->config.settings ? r->m->config.settings : "";

	write_request(r);
	buf_printf(&r->head, "%ld %zu %zu\n", (long)getpid(), strlen(settings), r->request.len);
	buf_puts(&r->head, settings);
	r->asked[0] = uv_buf_init(r->head.data, (unsigned)r->head.len);
	r->asked[1] = uv_buf_init(r->request.data, (unsigned)r->request.len);
	r->write.data = r;
	if (uv_write(&r->write, (uv_stream_t *)&r->in, r->asked, 2, on_asked) != 0)
		rehearsal_stop(r);
	if (uv_read_start((uv_stream_t *)&r->out, on_alloc, on_said) != 0) {
		r->heard = true;
		rehearsal_stop(r);
	}
	uv_timer_start(&r->watch, on_watch, WATCH_MS, WATCH_MS);
}

int rehearsal_start(struct file_task *t, void (*ended)(struct file_task *t))
{
	struct migrator *m = t->m;
	char *copy = rehearsal_path(store_get_config(m->s)->path, m->config.try_folder);

	if (look_at_space(t, copy, &t->err) != 0) {
		free(copy);
		return -1;
	}
	struct rehearsal *r = xcalloc(1, sizeof(*r));
	*r = (struct rehearsal){.t = t, .ended = ended, .m = m, .copy = copy, .open_handles = 4};
	m->rehearsal = t->rehearsal = r;
	database_remove(copy);
	uv_pipe_init(m->loop, &r->in, 0);
	uv_pipe_init(m->loop, &r->out, 0);
	uv_timer_init(m->loop, &r->watch);
	r->process.data = r->in.data = r->out.data = r->watch.data = r;
	int rc = spawn(r);
	if (rc == 0) {
		log_info("migrate", "rehearsing versions %lld to %lld on %s", (long long)t->run.from,
			 (long long)t->run.to, copy);
		tell(r);
		return 0;
	}
	/* Its handles are to be closed as ever, so it ends as ever. */
	error_set(&r->err, ERRC_INTERNAL, "the rehearsal's process cannot be started: %s", uv_strerror(rc));
	close_handles(r);
	return 0;
}
