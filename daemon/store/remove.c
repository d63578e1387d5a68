#include "daemon/store/remove.h"

#include <unistd.h>

#include "proto/buf.h"

const char *const database_tails[] = {"", "-wal", "-shm", "-journal", ".alterd-lock", NULL};

void database_remove(const char *path)
{
	struct buf name = {0};

	for (size_t i = 0; database_tails[i]; i++) {
		buf_truncate(&name, 0);
		buf_printf(&name, "%s%s", path, database_tails[i]);
		(void)unlink(buf_cstr(&name));
	}
	buf_free(&name);
}
