/*
 * The protocol as an OpenRPC document (rpc.discover). Nothing is written by hand here: methods and parameters come from
 * op.h and errors from errc.h, the same tables that requests are checked by.
 */
#include <stdio.h>

#include "proto/errc.h"
#include "proto/param.h"
#include "proto/response.h"

/* JSON Schema of each type of parameter. */
static const char *schema_of(enum param_type type)
{
	switch (type) {
	case PARAM_TYPE_STRING:
		return "{\"type\":\"string\"}";
	case PARAM_TYPE_BIND:
		return "{\"oneOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/value\"}},"
		       "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/components/schemas/value\"}}]}";
	case PARAM_TYPE_COUNT:
		return "{\"type\":\"integer\",\"minimum\":1}";
	case PARAM_TYPE_NUMBER0:
		return "{\"type\":\"integer\",\"minimum\":0}";
	case PARAM_TYPE_WANT:
		return "{\"type\":\"array\",\"items\":{\"enum\":[\"types\"]}}";
	case PARAM_TYPE_STEPS:
		return "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"sql\"],\"properties\":{"
		       "\"sql\":{\"type\":\"string\"},\"bind\":{\"type\":[\"array\",\"object\"]},"
		       "\"expect_changes\":{\"type\":\"integer\",\"minimum\":0}},\"additionalProperties\":false}}";
	case PARAM_TYPE_FILES:
		return "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"name\",\"sql\"],"
		       "\"properties\":{"
		       "\"name\":{\"type\":\"string\"},\"sql\":{\"type\":\"string\"}},\"additionalProperties\":false}}";
	case PARAM_TYPE_FILE:
		return "{\"type\":\"object\",\"required\":[\"name\",\"sql\"],\"properties\":{"
		       "\"name\":{\"type\":\"string\"},\"sql\":{\"type\":\"string\"}},\"additionalProperties\":false}";
	case PARAM_TYPE_TOPICS:
		return "{\"type\":\"array\",\"minItems\":1,\"items\":{\"enum\":[\"migration\",\"schema\",\"changes\","
		       "\"log\","
		       "\"session\"]}}";
	case PARAM_TYPE_NAMES:
		return "{\"type\":\"array\",\"minItems\":1,\"maxItems\":100,\"items\":{\"type\":\"string\"}}";
	case PARAM_TYPE_REQID:
		return "{\"type\":[\"integer\",\"string\"]}";
	case PARAM_TYPE_RANGE:
		return "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0},\"minItems\":2,\"maxItems\":"
		       "2}";
	case PARAM_TYPE_INT64:
		return "{\"enum\":[\"auto\",\"number\",\"string\"]}";
	case PARAM_TYPE_BOOL:
		return "{\"type\":\"boolean\"}";
	}
	return "{}";
}

/* A value to bind: itself, or an escape. */
static const char value_schema[] =
	"{\"oneOf\":[{\"type\":[\"null\",\"boolean\",\"number\",\"string\"]},"
	"{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1,\"additionalProperties\":false,\"properties\":{"
	"\"int\":{\"type\":[\"string\",\"integer\"]},\"real\":{\"type\":[\"number\",\"string\"]},"
	"\"text\":{\"type\":\"string\"},\"blob\":{\"type\":\"string\"}}}]}";

static void write_param(struct buf *out, const struct param_info *info, bool required)
{
	jw_open(out, '{');
	jw_str(out, "name", info->name);
	jw_str(out, "summary", info->doc);
	jw_bool(out, "required", required);
	jw_json(out, "schema", schema_of(info->type));
	jw_close(out, '}');
}

static void write_params(struct buf *out, uint64_t mask, bool required)
{
	unsigned i;

	for (i = 0; i < PARAM_COUNT; i++) {
		if ((mask >> i) & 1)
			write_param(out, param_info((enum param)i), required);
	}
}

static void write_method(struct buf *out, const struct op_info *info)
{
	jw_open(out, '{');
	jw_str(out, "name", info->name);
	jw_str(out, "summary", info->doc);
	jw_str(out, "paramStructure", "by-name");
	jw_key(out, "params");
	jw_open(out, '[');
	write_params(out, info->required, true);
	write_params(out, info->optional & ~info->required, false);
	jw_close(out, ']');
	jw_json(out, "result", "{\"name\":\"result\",\"schema\":{}}");
	jw_bool(out, "x-overtakes", (info->flags & OP_CONTROL) != 0);
	jw_str(out, "x-role", role_name(info->role));
	jw_close(out, '}');
}

static void write_errors(struct buf *out)
{
	static const bool retryable[ERRC_COUNT] = {
#define X(name, code, again) [ERRC_##name] = again,
		ERRC_MAP(X)
#undef X
	};
	unsigned i;

	jw_key(out, "errors");
	jw_open(out, '{');
	for (i = 0; i < ERRC_COUNT; i++) {
		jw_key(out, errc_name((enum errc)i));
		jw_open(out, '{');
		jw_int(out, "code", errc_code((enum errc)i));
		jw_str(out, "message", errc_name((enum errc)i));
		jw_key(out, "data");
		jw_open(out, '{');
		jw_str(out, "name", errc_name((enum errc)i));
		jw_bool(out, "retryable", retryable[i]);
		jw_close(out, '}');
		jw_close(out, '}');
	}
	jw_close(out, '}');
}

void discover_write(struct buf *out, const char *version)
{
	unsigned i;

	jw_open(out, '{');
	jw_str(out, "openrpc", "1.2.6");
	jw_key(out, "info");
	jw_open(out, '{');
	jw_str(out, "title", "alterd");
	jw_str(out, "version", version);
	jw_close(out, '}');
	jw_key(out, "methods");
	jw_open(out, '[');
	for (i = 0; i < OP_COUNT; i++)
		write_method(out, op_info((enum op)i));
	jw_close(out, ']');
	jw_key(out, "components");
	jw_open(out, '{');
	jw_key(out, "schemas");
	jw_open(out, '{');
	jw_json(out, "value", value_schema);
	jw_close(out, '}');
	write_errors(out);
	jw_close(out, '}');
	jw_close(out, '}');
}
