/*
 * alterd.conf from any bytes: never a crash, a leak or a hang; an error always has a text; and what was accepted is
 * written out by config_dump() and read back as the same configuration.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "daemon/lib/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct config *c)
{
	struct config again;
	struct buf text = {0}, names = {0};
	struct error err = {0};

	config_init(&again);
	config_dump(c, &text);
	CHECK(!text.failed);
	CHECK(config_read_text(&again, "dump", text.data, text.len, &err) == 0);
	config_diff(c, &again, false, &names);
	CHECK(names.len == 0);
	config_take_reloadable(&again, c);
	config_free(&again);
	buf_free(&text);
	buf_free(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c;
	struct error err = {0};
	char *assignment = xmalloc(size + 1);

	config_init(&c);
	if (config_read_text(&c, "fuzz.conf", (const char *)data, size, &err) == 0)
		round_trip(&c);
	else
		CHECK(error_is_set(&err) && err.message[0] != '\0');
	error_clear(&err);
	(void)config_check(&c, &err);
	error_clear(&err);

	memcpy(assignment, data, size);
	assignment[size] = '\0';
	if (config_set(&c, assignment, &err) == 0)
		round_trip(&c);
	error_clear(&err);
	free(assignment);
	config_free(&c);
	return 0;
}
