/*
 * The parameters of op.h as data: what request.c checks by, what rpc.discover tells, what a client's help may show.
 */
#ifndef ALTERD_PROTO_PARAM_H
#define ALTERD_PROTO_PARAM_H

#include "proto/op.h"

enum param_type {
	PARAM_TYPE_STRING,
	PARAM_TYPE_BIND,
	PARAM_TYPE_COUNT,   /* integer from 1 */
	PARAM_TYPE_NUMBER0, /* integer from 0 */
	PARAM_TYPE_WANT,
	PARAM_TYPE_STEPS,
	PARAM_TYPE_REQID,
	PARAM_TYPE_RANGE,
	PARAM_TYPE_INT64,
	PARAM_TYPE_BOOL,
	PARAM_TYPE_FILES,
	PARAM_TYPE_FILE,
	PARAM_TYPE_TOPICS,
	PARAM_TYPE_NAMES,
};

struct param_info {
	const char *name; /* on the wire */
	size_t len;       /* of the name */
	enum param_type type;
	const char *doc; /* one line */
};

/* The table's entry; `param` is below PARAM_COUNT. */
const struct param_info *param_info(enum param param);
/* The parameter by its name of n bytes; PARAM_COUNT if there is none. */
enum param param_by_name(const char *name, size_t n);

#endif
