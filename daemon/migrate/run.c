/* A folder and a history compared. */
#include "daemon/migrate/run.h"

#include <string.h>

#include "daemon/migrate/pieces.h"

struct making {
	struct pool *pool;
	const struct folder *folder;
	const struct history *history;
	const struct partial *partial; /* version 0: there is none */
	const struct run_options *options;
	struct run *out;
	struct error *err;
};

bool run_changed(const struct version *v, const struct applied *a)
{
	/* sqlx' history holds SHA-384 of the file. */
	return a->checksum && strcmp(a->checksum, v->checksum) != 0 && strcmp(a->checksum, v->sqlx_checksum) != 0;
}

static bool before(const struct version *a, const struct version *b)
{
	return a->place && b->place ? strcmp(a->place, b->place) < 0 : a->number < b->number;
}

bool run_out_of_order(const struct folder *folder, const struct history *history, const struct version *v)
{
	for (size_t i = 0; i < history->n; i++) {
		const struct version *there = folder_find(folder, history->at[i].version);
		if (there ? before(v, there) : v->number < history->at[i].version)
			return true;
	}
	return false;
}

static const char *file_of(const struct version *v) { return v->up.file ? v->up.file : v->name; }

static int check_applied(struct making *k)
{
	const struct history *h = k->history;

	for (size_t i = 0; i < h->n; i++) {
		const struct version *v = folder_find(k->folder, h->at[i].version);
		if (!v || !run_changed(v, &h->at[i]))
			continue;
		error_set(
			k->err, ERRC_CHECKSUM_MISMATCH,
			"%.120s was changed after version %lld was applied: it was %.64s, it is %.64s (repair accepts "
			"it)",
			file_of(v), (long long)v->number, h->at[i].checksum, v->checksum);
		error_add_str(k->err, "file", file_of(v));
		return -1;
	}
	return 0;
}

static struct run_step *add(struct making *k)
{
	struct run *r = k->out;

	r->at = pool_grow(k->pool, r->at, r->n, sizeof(*r->at));
	r->at[r->n] = (struct run_step){0};
	return &r->at[r->n++];
}

/* Who consents to a loss of data. */
static const char *consent(const struct making *k, const struct version_part *part, const char *file)
{
	return k->options->allow_data_loss ? k->options->user : part && part->allow_data_loss ? file : NULL;
}

static void add_up(struct making *k, const struct version *v)
{
	struct run_step *s = add(k);
	int64_t now = k->out->to;

	*s = (struct run_step){
		.version = v->number,
		.after = v->number > now ? v->number : now,
		.name = v->name,
		.file = file_of(v),
		.line = v->up.line,
		.sql = v->up.text ? v->up.text : "",
		.checksum = v->checksum,
		.down_sql = v->down.present ? v->down.text : NULL,
		.exact = v->up.mode == MODE_EXACT,
		.online = v->up.mode == MODE_ONLINE,
		.allow_data_loss = v->up.allow_data_loss || k->options->allow_data_loss,
		.consent = consent(k, &v->up, file_of(v)),
		.no_transaction = v->up.no_transaction,
		.batch_rows = v->up.batch_rows,
	};
	k->out->to = s->after;
}

/* A version piece by piece; `done` of its statements have run. */
static int add_pieces(struct making *k, const struct version *v, size_t done)
{
	struct pieces pieces;
	size_t total = v->up.script.n;
	int64_t now = k->out->to, then = 0;

	if (!v->up.no_transaction) {
		/* It was one when it began: what is left of it is one transaction now. */
		pieces = (struct pieces){.n = 1, .at = pool_alloc(k->pool, sizeof(*pieces.at))};
		pieces.at[0] = pieces_rest(k->pool, &v->up.script, done);
	} else if (pieces_make(k->pool, file_of(v), &v->up.script, done, &pieces, k->err) != 0) {
		return -1;
	} else if (pieces.n == 0) {
		/* All of it has run: what is left is its line in the history. */
		pieces = (struct pieces){.n = 1, .at = pool_alloc(k->pool, sizeof(*pieces.at))};
		pieces.at[0] = pieces_rest(k->pool, &v->up.script, total);
	}
	for (size_t i = 0; i < pieces.n; i++) {
		const struct piece *p = &pieces.at[i];
		bool last = i + 1 == pieces.n;
		k->out->to = now;
		add_up(k, v);
		struct run_step *s = &k->out->at[k->out->n - 1];
		then = s->after;
		s->after = last ? s->after : now;
		s->sql = p->sql;
		s->line = p->line;
		s->before = (int64_t)p->from;
		s->behind = (int64_t)(p->from + p->n);
		s->total = (int64_t)total;
		s->checksum = i == 0 || last ? s->checksum : NULL;
		s->down_sql = i == 0 || last ? s->down_sql : NULL;
	}
	k->out->to = then;
	return 0;
}

static int add_version(struct making *k, const struct version *v)
{
	if (v->up.no_transaction && v->up.script.n > 0)
		return add_pieces(k, v, 0);
	add_up(k, v);
	return 0;
}

/* The version of which a part has run goes on before any other. */
static int add_partial(struct making *k, int64_t last)
{
	const struct partial *p = k->partial;
	const struct version *v = folder_find(k->folder, p->version);

	if (!v)
		return error_set(
			k->err, ERRC_WRONG_STATE,
			"version %lld is partial, %lld of %lld statements have run, and its file %.100s is not "
			"there: say with resolve what it counts as",
			(long long)p->version, (long long)p->done, (long long)p->total, p->file);
	if (p->version > last)
		return error_set(
			k->err, ERRC_WRONG_STATE,
			"version %lld is partial, %lld of %lld statements have run: it goes on with up, or say "
			"with resolve what it counts as, before another is run",
			(long long)p->version, (long long)p->done, (long long)p->total);
	if (partial_check(p, file_of(v), &v->up.script, k->err) != 0)
		return -1;
	return add_pieces(k, v, (size_t)p->done);
}

static int up(struct making *k, int64_t last, int64_t steps)
{
	const struct folder *f = k->folder;

	if (!f)
		return error_set(k->err, ERRC_INVALID_PARAMS, "no migration files: neither sent nor in a folder");
	if (!k->history->n && !k->history->empty && !k->history->known && f->n && !k->partial->version)
		return error_set(k->err, ERRC_MIGRATION_INVALID,
				 "the database has tables and no history of migrations: run baseline first");
	if (check_applied(k) != 0)
		return -1;
	if (k->partial->version) {
		if (add_partial(k, last) != 0)
			return -1;
		steps--;
	}
	for (size_t i = 0; i < f->n && steps != 0; i++) {
		const struct version *v = &f->at[i];
		if (history_find(k->history, v->number) || v->number > last || v->number == k->partial->version)
			continue;
		if (!k->options->allow_out_of_order && run_out_of_order(f, k->history, v)) {
			error_set(
				k->err, ERRC_OUT_OF_ORDER,
				"%.200s comes before version %lld, which is applied: allow it to run out of order, or "
				"give it a later number",
				file_of(v), (long long)k->history->version);
			error_add_str(k->err, "file", file_of(v));
			return -1;
		}
		if (add_version(k, v) != 0)
			return -1;
		steps--;
	}
	return 0;
}

/* The version the schema has once the last `gone` of those applied are undone. */
static int64_t version_without(const struct history *h, size_t left)
{
	int64_t version = 0;

	for (size_t i = 0; i < left; i++)
		if (h->at[i].version > version)
			version = h->at[i].version;
	return version;
}

static int add_down(struct making *k, size_t at)
{
	const struct applied *a = &k->history->at[at];
	const struct version *v = k->folder ? folder_find(k->folder, a->version) : NULL;
	const struct version_part *part = v && v->down.present ? &v->down : NULL;
	struct version_part kept = {.file = part ? part->file : a->name, .line = part ? part->line : 1};

	if (!a->down_sql && !part) {
		error_set(k->err, ERRC_NO_DOWN, "nothing undoes version %lld %.100s: it has no down part",
			  (long long)a->version, a->name);
		return -1;
	}
	/* What was kept counts: it belongs to what was applied. */
	if (a->down_sql) {
		kept.text = a->down_sql;
		folder_kept(k->pool, kept.file, a->down_sql, &kept);
		part = &kept;
	}
	struct run_step *s = add(k);
	*s = (struct run_step){
		.version = a->version,
		.down = true,
		.after = version_without(k->history, at),
		.name = a->name,
		.file = part->file,
		.line = part->line,
		.sql = part->text,
		.exact = part->mode == MODE_EXACT,
		.online = part->mode == MODE_ONLINE,
		.allow_data_loss = part->allow_data_loss || k->options->allow_data_loss,
		.consent = consent(k, part, part->file),
		.batch_rows = part->batch_rows,
	};
	k->out->to = s->after;
	return 0;
}

static int down(struct making *k, bool has_to, int64_t to, int64_t steps)
{
	const struct history *h = k->history;
	const struct partial *p = k->partial;

	if (p->version)
		return error_set(k->err, ERRC_WRONG_STATE,
				 "version %lld is partial, %lld of %lld statements have run, and what undoes it undoes "
				 "all of it: let it go on with up, or say with resolve what it counts as",
				 (long long)p->version, (long long)p->done, (long long)p->total);
	for (size_t i = h->n; i-- > 0 && steps != 0; steps--) {
		if (has_to && version_without(h, i + 1) <= to)
			break;
		if (add_down(k, i) != 0)
			return -1;
	}
	if (h->n == 0)
		return error_set(k->err, ERRC_NOT_FOUND, "no version is applied: there is nothing to undo");
	if (has_to && k->out->to != to)
		return error_set(k->err, ERRC_NOT_FOUND, "version %lld is not among those applied", (long long)to);
	return 0;
}

static int to(struct making *k)
{
	const struct run_options *o = k->options;
	int64_t now = k->history->version;

	if (o->to < now)
		return down(k, true, o->to, -1);
	if (o->to > now && !(k->folder && folder_find(k->folder, o->to)))
		return error_set(k->err, ERRC_NOT_FOUND, "there is no version %lld", (long long)o->to);
	return up(k, o->to, -1);
}

int run_make(struct pool *pool, const struct folder *folder, const struct history *history,
	     const struct partial *partial, const struct run_options *options, struct run *ret, struct error *err)
{
	struct run run = {.from = history->version, .to = history->version};
	struct making k = {.pool = pool,
			   .folder = folder,
			   .history = history,
			   .partial = partial,
			   .options = options,
			   .out = &run,
			   .err = err};
	int rc = -1;

	switch (options->kind) {
	case RUN_UP:
		if (options->has_to && options->to < history->version)
			return error_set(err, ERRC_INVALID_PARAMS,
					 "version %lld is below the present %lld: use down or to",
					 (long long)options->to, (long long)history->version);
		if (options->has_to && !(folder && folder_find(folder, options->to)) && options->to != history->version)
			return error_set(err, ERRC_NOT_FOUND, "there is no version %lld", (long long)options->to);
		rc = up(&k, options->has_to ? options->to : INT64_MAX, options->steps ? options->steps : -1);
		break;
	case RUN_DOWN:
		rc = down(&k, options->has_to, options->to, options->has_to ? -1 : options->steps ? options->steps : 1);
		break;
	case RUN_TO:
		rc = to(&k);
		break;
	}
	if (rc == 0)
		*ret = run;
	return rc;
}
