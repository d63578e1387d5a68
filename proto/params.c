/* The parameters of a request: which may come with the method, which must, and what each has to look like. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/param.h"
#include "proto/topic.h"

int decode_refuse(struct decoder *d, long step, const char *name, const char *format, ...)
{
	char why[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof why, format, args);
	va_end(args);
	if (step >= 0)
		return error_set(d->err, ERRC_INVALID_PARAMS, "statements[%ld].%s %s", step, name, why);
	return error_set(d->err, ERRC_INVALID_PARAMS, "%s %s", name, why);
}

int decode_keep(struct decoder *d, const char *p, size_t n, const char **ret)
{
	char *copy;

	if (!d->borrowed) {
		*ret = p;
		return 0;
	}
	copy = arena_bytes(&d->arena, n + 1);
	if (copy == NULL)
		return error_set(d->err, ERRC_INTERNAL, "out of memory");
	memcpy(copy, p, n);
	copy[n] = '\0';
	*ret = copy;
	return 0;
}

int decode_string(struct decoder *d, const struct node *v, const char *name, long step, const char **ret,
		  size_t *ret_len)
{
	if (v->type != NODE_STRING)
		return decode_refuse(d, step, name, "must be a string");
	/* These end up as C strings; a NUL would cut them short without a word. */
	if (memchr(v->s.p, '\0', v->s.n) != NULL)
		return decode_refuse(d, step, name, "must not contain NUL");
	*ret_len = v->s.n;
	return decode_keep(d, v->s.p, v->s.n, ret);
}

static int decode_integer(struct decoder *d, const struct node *v, const char *name, long step, int64_t least,
			  int64_t *ret)
{
	if (v->type != NODE_INT || v->i < least)
		return decode_refuse(d, step, name, "must be an integer >= %lld", (long long)least);
	*ret = v->i;
	return 0;
}

/* One member of a step. */
static int decode_step_member(struct decoder *d, const struct node *v, long index, struct step *step)
{
	if (strcmp(v->key, "sql") == 0)
		return decode_string(d, v, v->key, index, &step->sql, &step->sql_len);
	if (strcmp(v->key, "bind") == 0)
		return decode_binds(d, v, index, &step->bind);
	if (strcmp(v->key, "expect_changes") == 0)
		return decode_integer(d, v, v->key, index, 0, &step->expect_changes);
	return error_set(d->err, ERRC_INVALID_PARAMS, "statements[%ld] has an unknown key \"%.64s\"", index, v->key);
}

/* One statement of a batch. */
static int decode_step(struct decoder *d, const struct node *v, long index, struct step *ret)
{
	struct step step = {.expect_changes = -1};
	const struct node *member = node_first(v);
	uint32_t i;

	if (v->type != NODE_OBJECT)
		return error_set(d->err, ERRC_INVALID_PARAMS, "statements[%ld] must be an object", index);
	for (i = 0; i < v->count; i++, member = node_next(member)) {
		if (decode_step_member(d, member, index, &step) < 0)
			return -1;
	}
	if (step.sql == NULL)
		return error_set(d->err, ERRC_INVALID_PARAMS, "statements[%ld] lacks \"sql\"", index);
	*ret = step;
	return 0;
}

static int decode_steps(struct decoder *d, const struct node *v)
{
	const struct node *element = node_first(v);
	struct step *steps;
	uint32_t i;

	if (v->type != NODE_ARRAY)
		return decode_refuse(d, -1, "statements", "must be an array");
	steps = arena_struct(&d->arena, v->count * sizeof *steps);
	if (steps == NULL)
		return error_set(d->err, ERRC_INTERNAL, "out of memory");
	for (i = 0; i < v->count; i++, element = node_next(element)) {
		if (decode_step(d, element, (long)i, &steps[i]) < 0)
			return -1;
	}
	d->params->steps = steps;
	d->params->nsteps = v->count;
	return 0;
}

/* `name` is what messages call it. */
static int decode_file(struct decoder *d, const struct node *v, const char *name, struct file *ret)
{
	struct file file = {0};
	const struct node *member = node_first(v);
	size_t len = 0;

	if (v->type != NODE_OBJECT)
		return error_set(d->err, ERRC_INVALID_PARAMS, "%s must be an object", name);
	for (uint32_t i = 0; i < v->count; i++, member = node_next(member)) {
		bool is_name = strcmp(member->key, "name") == 0;
		if (!is_name && strcmp(member->key, "sql") != 0)
			return error_set(d->err, ERRC_INVALID_PARAMS, "%s has an unknown key \"%.64s\"", name,
					 member->key);
		if (member->type != NODE_STRING || memchr(member->s.p, '\0', member->s.n) != NULL)
			return error_set(d->err, ERRC_INVALID_PARAMS, "%s.%s must be a string without NUL", name,
					 member->key);
		if (decode_keep(d, member->s.p, member->s.n, is_name ? &file.name : &file.sql) < 0)
			return -1;
		if (!is_name)
			len = member->s.n;
	}
	if (file.name == NULL || file.sql == NULL)
		return error_set(d->err, ERRC_INVALID_PARAMS, "%s needs \"name\" and \"sql\"", name);
	file.sql_len = len;
	*ret = file;
	return 0;
}

static int decode_files(struct decoder *d, const struct node *v)
{
	const struct node *element = node_first(v);
	struct file *files;

	if (v->type != NODE_ARRAY)
		return decode_refuse(d, -1, "files", "must be an array");
	files = arena_struct(&d->arena, v->count * sizeof *files);
	if (files == NULL)
		return error_set(d->err, ERRC_INTERNAL, "out of memory");
	for (uint32_t i = 0; i < v->count; i++, element = node_next(element)) {
		char name[32];

		(void)snprintf(name, sizeof name, "files[%u]", i);
		if (decode_file(d, element, name, &files[i]) < 0)
			return -1;
	}
	d->params->files = files;
	d->params->nfiles = v->count;
	return 0;
}

static int decode_want(struct decoder *d, const struct node *v)
{
	const struct node *extra = node_first(v);
	uint32_t i;

	if (v->type != NODE_ARRAY)
		return decode_refuse(d, -1, "want", "must be an array");
	for (i = 0; i < v->count; i++, extra = node_next(extra)) {
		if (extra->type != NODE_STRING)
			return decode_refuse(d, -1, "want", "must hold strings");
		if (!node_is_text(extra, "types"))
			return decode_refuse(d, -1, "want", "knows \"types\", not \"%.64s\"", extra->s.p);
		d->params->want_types = true;
	}
	return 0;
}

static int decode_range(struct decoder *d, const struct node *v)
{
	const struct node *least = node_first(v), *most = least + 1;

	if (v->type != NODE_ARRAY || v->count != 2 || least->type != NODE_INT || most->type != NODE_INT ||
	    least->i < 0 || least->i > most->i)
		return decode_refuse(d, -1, "protocol", "must be [lowest, highest], two integers");
	d->params->protocol_min = least->i;
	d->params->protocol_max = most->i;
	return 0;
}

static int decode_request_id(struct decoder *d, const struct node *v)
{
	struct reqid *id = &d->params->id;

	if (v->type == NODE_INT) {
		*id = (struct reqid){.kind = REQID_INT, .i = v->i};
		return 0;
	}
	if (v->type != NODE_STRING)
		return decode_refuse(d, -1, "id", "must be an integer or a string");
	*id = (struct reqid){.kind = REQID_STRING, .len = v->s.n};
	return decode_keep(d, v->s.p, v->s.n, &id->s);
}

static int decode_int64(struct decoder *d, const struct node *v)
{
	if (node_is_text(v, "auto"))
		d->params->int64 = INT64_AUTO;
	else if (node_is_text(v, "number"))
		d->params->int64 = INT64_NUMBER;
	else if (node_is_text(v, "string"))
		d->params->int64 = INT64_STRING;
	else
		return decode_refuse(d, -1, "int64", "must be \"auto\", \"number\" or \"string\"");
	return 0;
}

static int decode_bool(struct decoder *d, const struct node *v, const char *name, bool *ret)
{
	if (v->type != NODE_BOOL)
		return decode_refuse(d, -1, name, "must be true or false");
	*ret = v->b;
	return 0;
}

/* Those of backup.*, check, stats.* and advise; NULL for what has no simple type. */
static void *backup_field(struct params *p, enum param which)
{
	switch (which) {
	case PARAM_NAME:
		return &p->name;
	case PARAM_CHECK:
		return &p->check;
	case PARAM_OFFSET:
		return &p->offset;
	case PARAM_SIZE:
		return &p->size;
	case PARAM_QUICK:
		return &p->quick;
	case PARAM_WHOLE:
		return &p->whole;
	case PARAM_BY:
		return &p->by;
	case PARAM_LIMIT:
		return &p->limit;
	default:
		return NULL;
	}
}

/* Those of migrate.*; NULL for what has no simple type. */
static void *migration_field(struct params *p, enum param which)
{
	switch (which) {
	case PARAM_JOB:
		return &p->job;
	case PARAM_WAIT:
		return &p->wait;
	case PARAM_ALLOW_DATA_LOSS:
		return &p->allow_data_loss;
	case PARAM_POSTPONE_CUTOVER:
		return &p->postpone_cutover;
	case PARAM_BATCH_ROWS:
		return &p->batch_rows;
	case PARAM_DUTY_PERCENT:
		return &p->duty_percent;
	case PARAM_TO:
		return &p->to;
	case PARAM_STEPS:
		return &p->nsteps_asked;
	case PARAM_FORMAT:
		return &p->format;
	case PARAM_ALLOW_OUT_OF_ORDER:
		return &p->allow_out_of_order;
	case PARAM_VERSION:
		return &p->version;
	case PARAM_FROM:
		return &p->from;
	case PARAM_DRY_RUN:
		return &p->dry_run;
	case PARAM_APPLIED:
		return &p->applied;
	case PARAM_TRY:
		return &p->rehearse;
	default:
		return backup_field(p, which);
	}
}

/* Where a parameter of a simple type goes; NULL for the other types. */
static void *param_field(struct params *p, enum param which)
{
	switch (which) {
	case PARAM_SQL:
		return &p->sql;
	case PARAM_PAGE_ROWS:
		return &p->page_rows;
	case PARAM_TIMEOUT_MS:
		return &p->timeout_ms;
	case PARAM_SCRIPT:
		return &p->script;
	case PARAM_MODE:
		return &p->mode;
	case PARAM_WAIT_MS:
		return &p->wait_ms;
	case PARAM_MAX_MS:
		return &p->max_ms;
	case PARAM_CURSOR:
		return &p->cursor;
	case PARAM_SESSION:
		return &p->session;
	case PARAM_CLIENT:
		return &p->client;
	case PARAM_READONLY:
		return &p->readonly;
	case PARAM_EXPECT_VERSION:
		return &p->expect_version;
	case PARAM_TABLE:
		return &p->table;
	case PARAM_SUBSCRIPTION:
		return &p->subscription;
	default:
		return migration_field(p, which);
	}
}

static int decode_param(struct decoder *d, enum param which, const struct node *v)
{
	const struct param_info *info = param_info(which);
	void *field = param_field(d->params, which);
	size_t len = 0;
	int rc = -1;

	switch (info->type) {
	case PARAM_TYPE_STRING:
		rc = decode_string(d, v, info->name, -1, field, &len);
		break;
	case PARAM_TYPE_COUNT:
		rc = decode_integer(d, v, info->name, -1, 1, field);
		break;
	case PARAM_TYPE_NUMBER0:
		rc = decode_integer(d, v, info->name, -1, 0, field);
		break;
	case PARAM_TYPE_BOOL:
		rc = decode_bool(d, v, info->name, field);
		break;
	case PARAM_TYPE_BIND:
		rc = decode_binds(d, v, -1, &d->params->bind);
		break;
	case PARAM_TYPE_WANT:
		rc = decode_want(d, v);
		break;
	case PARAM_TYPE_STEPS:
		rc = decode_steps(d, v);
		break;
	case PARAM_TYPE_FILES:
		rc = decode_files(d, v);
		break;
	case PARAM_TYPE_FILE:
		rc = decode_file(d, v, info->name, &d->params->schema);
		break;
	case PARAM_TYPE_TOPICS:
		rc = decode_topics(d, v);
		break;
	case PARAM_TYPE_NAMES:
		rc = decode_tables(d, v);
		break;
	case PARAM_TYPE_REQID:
		rc = decode_request_id(d, v);
		break;
	case PARAM_TYPE_RANGE:
		rc = decode_range(d, v);
		break;
	case PARAM_TYPE_INT64:
		rc = decode_int64(d, v);
		break;
	}
	if (which == PARAM_SQL)
		d->params->sql_len = len;
	else if (which == PARAM_SCRIPT)
		d->params->script_len = len;
	d->params->present |= UINT64_C(1) << which;
	return rc;
}

/* Rules that are about more than one type. */
static int check_together(struct decoder *d, enum op op, const struct op_info *info)
{
	const struct params *p = d->params;
	uint64_t missing = info->required & ~p->present;

	if (missing != 0)
		return error_set(d->err, ERRC_INVALID_PARAMS, "%s needs the parameter %s", info->name,
				 param_info((enum param)__builtin_ctzll(missing))->name);
	if (op == OP_BATCH && params_has(p, PARAM_STATEMENTS) == params_has(p, PARAM_SCRIPT))
		return error_set(d->err, ERRC_INVALID_PARAMS, "batch needs either statements or script");
	if (params_has(p, PARAM_MODE) && strcmp(p->mode, "immediate") != 0 && strcmp(p->mode, "read") != 0)
		return decode_refuse(d, -1, "mode", "must be \"immediate\" or \"read\"");
	if (params_has(p, PARAM_TABLES) && !(p->topics & TOPIC_BIT(TOPIC_CHANGES)))
		return decode_refuse(d, -1, "tables", "belongs to the topic changes, which is not asked for");
	if (params_has(p, PARAM_DUTY_PERCENT) && p->duty_percent > 100)
		return decode_refuse(d, -1, "duty_percent", "must be an integer from 1 to 100");
	return 0;
}

int decode_params(struct decoder *d, enum op op, const struct node *members)
{
	const struct op_info *info = op_info(op);
	uint64_t allowed = info->required | info->optional;
	uint32_t count = members == NULL ? 0 : members->count, i;
	const struct node *member = count > 0 ? node_first(members) : NULL;
	enum param which;

	for (i = 0; i < count; i++, member = node_next(member)) {
		which = param_by_name(member->key, member->key_len);
		if (which == PARAM_COUNT || !((allowed >> which) & 1))
			return error_set(d->err, ERRC_INVALID_PARAMS, "%s has no parameter \"%.64s\"", info->name,
					 member->key);
		if (decode_param(d, which, member) < 0)
			return -1;
	}
	return check_together(d, op, info);
}
