/* Arguments that become values: SQL's, numbers, key=value. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* Digits as one writes a number: at least one, no superfluous zero in front. */
static const char *whole_part(const char *p)
{
	const char *start = p;

	while (is_digit(*p))
		p++;
	return p == start || (*start == '0' && p - start > 1) ? NULL : p;
}

static bool is_real(const char *p)
{
	p = whole_part(p + (*p == '-'));
	if (!p)
		return false;
	if (*p == '.') {
		p++;
		if (!is_digit(*p))
			return false;
		while (is_digit(*p))
			p++;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		if (!is_digit(*p))
			return false;
		while (is_digit(*p))
			p++;
	}
	return *p == '\0';
}

struct alterd_value args_value(const char *arg, bool text, const char *null_word)
{
	const char *digits = whole_part(arg + (*arg == '-'));
	long long i;
	double r;

	if (null_word && strcmp(arg, null_word) == 0)
		return alterd_null();
	if (text)
		return alterd_text(arg);
	/* "-0" stays text, as does a number that 64 bits cannot hold: nothing is rounded behind one's back. */
	if (digits && *digits == '\0') {
		errno = 0;
		i = strtoll(arg, NULL, 10);
		return errno || strcmp(arg, "-0") == 0 ? alterd_text(arg) : alterd_int(i);
	}
	if (is_real(arg)) {
		r = strtod(arg, NULL);
		return isfinite(r) ? alterd_real(r) : alterd_text(arg);
	}
	return alterd_text(arg);
}

int64_t args_number(const char *arg)
{
	int64_t v;
	char *end;

	if (!is_digit(*arg))
		return -1;
	errno = 0;
	v = strtoll(arg, &end, 10);
	return errno || *end ? -1 : v;
}

int args_setting(const char *arg, struct buf *params)
{
	const char *equals = strchr(arg, '=');
	struct buf key = {0};
	char *end;
	long long v;

	if (!equals || equals == arg || !equals[1])
		return -1;
	errno = 0;
	v = strtoll(equals + 1, &end, 10);
	if (errno || *end)
		return -1;
	for (const char *p = arg; p < equals; p++)
		buf_putc(&key, *p == '-' ? '_' : *p);
	jw_int(params, buf_cstr(&key), v);
	buf_free(&key);
	return 0;
}
