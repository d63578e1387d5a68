/*
 * restore: a backup in a database's place. There is no daemon to speak to then, and only alterd knows SQLite: so it is
 * run, as `alterd --restore`, from beside this program, from sbin, or from $PATH.
 */
#include <errno.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/ctl/ctl.h"

extern char **environ;

static bool at(struct buf *path, const char *folder, const char *rest)
{
	buf_reset(path, 4096);
	buf_printf(path, "%s/%s", folder, rest);
	return access(buf_cstr(path), X_OK) == 0;
}

static void find_alterd(struct buf *path)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		const char *folder = dirname(self);
		if (at(path, folder, "alterd") || at(path, folder, "../sbin/alterd"))
			return;
	}
	buf_reset(path, 4096);
	buf_puts(path, "alterd");
}

/* alterd's exit codes are sysexits', which are not alterctl's. */
static int code_of(int status)
{
	if (!WIFEXITED(status))
		return EXIT_FAILED;
	switch (WEXITSTATUS(status)) {
	case EX_OK:
		return EXIT_OK;
	case EX_USAGE:
		return EXIT_USAGE;
	case EX_NOINPUT:
		return EXIT_NO_INPUT;
	case EX_TEMPFAIL:
		return EXIT_RETRY;
	case EX_NOPERM:
		return EXIT_DENIED;
	default:
		return EXIT_FAILED;
	}
}

int cmd_restore(struct ctl *c, int argc, char **argv)
{
	struct buf path = {0};
	char restore[] = "--restore", database[] = "--database", json[] = "--json";
	int status = 0;
	pid_t child;

	(void)argc;
	find_alterd(&path);
	char *program = must(strdup(buf_cstr(&path)));
	char *args[] = {program, restore, argv[1], database, argv[2], has(c, FLAG_JSON) ? json : NULL, NULL};
	int rc = posix_spawnp(&child, program, NULL, NULL, args, environ);
	if (rc == 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	else
		say("%s, which does it, cannot be run: %s", program, strerror(rc));
	free(program);
	buf_free(&path);
	return rc == 0 ? code_of(status) : EXIT_FAILED;
}
