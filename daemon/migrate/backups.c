/* Backups on the loop's side; see backups.h. */
#include "daemon/migrate/backups.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/backup_make.h"
#include "daemon/store/codes.h"
#include "proto/response.h"

/* Tasks that wait for each of the two threads, at most. */
#define WAITING_MAX 64
/* What backup.read gives at most, and without a size; less if the line's limit is less. */
#define READ_BYTES_MAX ((int64_t)1 << 20)
/* Of a line, what an answer of backup.read needs beside its data: the envelope with the longest id. */
#define LINE_SPARE 2048

struct backup_task {
	struct mail mail; /* first: the thread's queue, then the way back */
	struct list_node all;
	struct backups *b;
	struct migrator_wait *w;                     /* NULL: nobody, or the client is gone */
	void (*ended)(void *arg, struct error *err); /* before a run */
	void *arg;
	enum op op;
	bool before, full_check, told;
	int64_t version, offset, size, keep;
	char *name; /* owned; NULL: none was given */
	atomic_int stop, permille;
	struct buf answer;
	struct error err;
};

struct worker {
	struct backups *b;
	bool started, closing;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list queue; /* struct mail */
};

enum { MAKER, KEEPER, WORKERS };

struct backups {
	struct store *s;
	char *folder;
	int64_t keep, line_bytes;
	struct worker workers[WORKERS];
	struct list tasks; /* struct backup_task.all: all that are out */
	bool closing;
	void (*idle)(void *arg);
	void *idle_arg;
};

/* --- on a thread --- */

static int make(struct backup_task *t)
{
	struct backup_wish wish = {.store = t->b->s,
				   .folder = t->b->folder,
				   .name = t->name,
				   .before = t->before,
				   .version = t->version,
				   .keep = t->keep,
				   .full_check = t->full_check,
				   .stop = &t->stop,
				   .permille = &t->permille};
	struct backup_made made;
	struct buf path = {0}, *out = &t->answer;

	if (backup_make(&wish, &made, &t->err) != 0)
		return -1;
	backup_path(t->b->folder, made.name, &path);
	jw_open(out, '{');
	jw_str(out, "path", buf_cstr(&path));
	jw_int(out, "bytes", made.bytes);
	jw_int(out, "version", made.version);
	if (t->told)
		jw_str(out, "check", "ok");
	jw_int(out, "ms", (int64_t)(made.ms + .5));
	jw_close(out, '}');
	buf_free(&path);
	return 0;
}

static void work_on(struct backup_task *t)
{
	const char *folder = t->b->folder;

	if (atomic_load(&t->stop) != STOP_NONE)
		error_stopped(&t->err, (enum stop_reason)atomic_load(&t->stop));
	else if (t->op == OP_BACKUP)
		(void)make(t);
	else if (t->op == OP_BACKUP_LIST)
		(void)backup_list(folder, &t->answer, &t->err);
	else if (t->op == OP_BACKUP_READ)
		(void)backup_read(folder, t->name, t->offset, t->size, &t->answer, &t->err);
	else if (backup_delete(folder, t->name, &t->err) == 0)
		buf_puts(&t->answer, "{}");
	if (error_is_set(&t->err) && atomic_load(&t->stop) == STOP_SHUTDOWN) {
		error_clear(&t->err);
		error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct list_node *n = list_pop(&w->queue);
		if (!n && w->closing)
			break;
		if (!n) {
			pthread_cond_wait(&w->work, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		struct mail *mail = LIST_ENTRY(n, struct mail, node);
		work_on(CONTAINER_OF(mail, struct backup_task, mail));
		store_post(w->b->s, mail);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* --- on the loop --- */

static void finish(struct backup_task *t)
{
	struct backups *b = t->b;
	struct migrator_wait *w = t->w;

	list_remove(&b->tasks, &t->all);
	if (w && error_is_set(&t->err))
		error_move(&w->err, &t->err);
	else if (w)
		buf_add(w->out, t->answer.data, t->answer.len);
	if (w && t->answer.failed && !error_is_set(&w->err))
		error_set(&w->err, ERRC_INTERNAL, "out of memory for the answer");
	if (w)
		w->done(w);
	else if (t->ended)
		t->ended(t->arg, &t->err);
	error_clear(&t->err);
	buf_free(&t->answer);
	free(t->name);
	free(t);
	if (b->closing && list_empty(&b->tasks))
		b->idle(b->idle_arg);
}

static void delivered(struct mail *mail) { finish(CONTAINER_OF(mail, struct backup_task, mail)); }

static int start(struct worker *w, struct error *err)
{
	if (w->started)
		return 0;
	int rc = pthread_create(&w->thread, NULL, worker_main, w);
	if (rc != 0)
		return error_set(err, ERRC_INTERNAL, "no thread can be started for backups: %s", strerror(rc));
	w->started = true;
	return 0;
}

static void submit(struct backup_task *t)
{
	struct worker *w = &t->b->workers[t->op == OP_BACKUP ? MAKER : KEEPER];

	if (t->b->closing)
		error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	else if (t->b->tasks.count > WAITING_MAX)
		error_set(&t->err, ERRC_TOO_MANY, "%d requests about backups are waiting already", WAITING_MAX);
	else
		(void)start(w, &t->err);
	t->mail.deliver = delivered;
	if (error_is_set(&t->err)) {
		store_post(t->b->s, &t->mail);
		return;
	}
	pthread_mutex_lock(&w->lock);
	list_push(&w->queue, &t->mail.node);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

static struct backup_task *new_task(struct backups *b, enum op op)
{
	struct backup_task *t = xcalloc(1, sizeof(*t));

	t->b = b;
	t->op = op;
	list_push(&b->tasks, &t->all);
	return t;
}

/* What of a file fits into one line. */
static int64_t most_bytes(const struct backups *b)
{
	int64_t most = (b->line_bytes - LINE_SPARE) / 4 * 3;

	return most < 1 ? 1 : most < READ_BYTES_MAX ? most : READ_BYTES_MAX;
}

void backups_request(struct backups *b, const struct request *request, struct migrator_wait *w)
{
	const struct params *p = &request->params;
	struct backup_task *t = new_task(b, request->op);

	t->w = w;
	t->name = params_has(p, PARAM_NAME) ? xstrdup(p->name) : NULL;
	t->full_check = t->told = params_has(p, PARAM_CHECK) && p->check;
	t->offset = params_has(p, PARAM_OFFSET) ? p->offset : 0;
	t->size = params_has(p, PARAM_SIZE) ? p->size : READ_BYTES_MAX;
	if (t->size > most_bytes(b))
		t->size = most_bytes(b);
	submit(t);
}

void backups_forget(struct backups *b, const struct migrator_wait *w)
{
	for (struct list_node *n = list_first(&b->tasks); n; n = list_next(&b->tasks, n)) {
		struct backup_task *t = LIST_ENTRY(n, struct backup_task, all);
		if (t->w != w)
			continue;
		t->w = NULL;
		atomic_store(&t->stop, STOP_GONE);
	}
}

struct backup_task *backups_before(struct backups *b, int64_t version, void (*ended)(void *arg, struct error *err),
				   void *arg)
{
	struct backup_task *t = new_task(b, OP_BACKUP);

	t->before = true;
	t->version = version;
	t->keep = b->keep;
	t->ended = ended;
	t->arg = arg;
	submit(t);
	return t;
}

void backups_before_stop(struct backup_task *t) { atomic_store(&t->stop, STOP_CANCEL); }

int backups_permille(struct backup_task *t) { return atomic_load(&t->permille); }

/* --- opening and closing --- */

/* Beside the database where no folder is set. */
static char *folder_of(const struct store *s, const char *set)
{
	const char *path = store_get_config(s)->path, *slash = strrchr(path, '/');
	struct buf folder = {0};

	if (set && *set)
		buf_puts(&folder, set);
	else if (slash)
		buf_add(&folder, path, (size_t)(slash - path + 1));
	if (!set || !*set)
		buf_puts(&folder, "backups");
	char *ret = xstrdup(buf_cstr(&folder));
	buf_free(&folder);
	return ret;
}

struct backups *backups_open(struct store *s, const struct migrator_config *config)
{
	struct backups *b = xcalloc(1, sizeof(*b));

	b->s = s;
	b->folder = folder_of(s, config->backup_folder);
	list_init(&b->tasks);
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &b->workers[i];
		w->b = b;
		list_init(&w->queue);
		pthread_mutex_init(&w->lock, NULL);
		pthread_cond_init(&w->work, NULL);
	}
	backups_reconfigure(b, config);
	backup_sweep(b->folder);
	return b;
}

void backups_reconfigure(struct backups *b, const struct migrator_config *config)
{
	b->keep = config->backup_keep;
	b->line_bytes = config->line_bytes;
}

void backups_stop(struct backups *b, void (*idle)(void *arg), void *arg)
{
	b->closing = true;
	b->idle = idle;
	b->idle_arg = arg;
	for (struct list_node *n = list_first(&b->tasks); n; n = list_next(&b->tasks, n))
		atomic_store(&LIST_ENTRY(n, struct backup_task, all)->stop, STOP_SHUTDOWN);
}

bool backups_busy(const struct backups *b) { return !list_empty(&b->tasks); }

void backups_free(struct backups *b)
{
	if (!b)
		return;
	PRE(list_empty(&b->tasks));
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &b->workers[i];
		pthread_mutex_lock(&w->lock);
		w->closing = true;
		pthread_cond_signal(&w->work);
		pthread_mutex_unlock(&w->lock);
		if (w->started)
			pthread_join(w->thread, NULL);
		pthread_cond_destroy(&w->work);
		pthread_mutex_destroy(&w->lock);
	}
	free(b->folder);
	free(b);
}
