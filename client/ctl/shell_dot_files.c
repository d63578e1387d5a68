/* Dot commands that have to do with files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/ctl/shell.h"

static int no_file(const char *path, int error)
{
	struct buf safe = {0};

	text_safe(&safe, path, strlen(path));
	say("%s: %s", buf_cstr(&safe), strerror(error));
	buf_free(&safe);
	return EXIT_FAILED;
}

int dot_read(struct shell *s, int argc, char **argv)
{
	int fd, code;
	bool interactive = s->interactive;

	(void)argc;
	if (s->depth >= SHELL_READ_DEPTH_MAX) {
		say(".read of %d files inside each other", SHELL_READ_DEPTH_MAX);
		return EXIT_FAILED;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return no_file(argv[1], errno);
	s->depth++;
	code = feed_descriptor(s, fd, argv[1]);
	s->depth--;
	s->interactive = interactive;
	close(fd);
	return code;
}

void shell_flush(struct shell *s)
{
	if (sink_flush(&s->out))
		return;
	if (s->out.failed && !s->interactive)
		s->quit_code = EXIT_FAILED;
	/* A person whose file cannot be written has the terminal still; a script has failed. */
	if (s->interactive && s->out.fd != STDOUT_FILENO)
		shell_output(s, NULL);
	else
		s->quit = true;
}

int shell_output(struct shell *s, const char *path)
{
	int fd = STDOUT_FILENO;

	sink_flush(&s->out);
	if (path) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0)
			return no_file(path, errno);
	}
	if (s->out.fd != STDOUT_FILENO && close(s->out.fd) != 0) {
		say("cannot write the output: %s", strerror(errno));
		s->quit_code = EXIT_FAILED;
	}
	s->out.fd = fd;
	s->out.dead = false;
	s->out.tty = !path && s->ctl->out_tty;
	s->out.width = s->out.tty ? s->ctl->width : 0;
	s->once = false;
	return 0;
}

int dot_output(struct shell *s, int argc, char **argv)
{
	return shell_output(s, argc > 1 && strcmp(argv[1], "stdout") != 0 ? argv[1] : NULL);
}

int dot_once(struct shell *s, int argc, char **argv)
{
	int code = shell_output(s, argv[1]);

	(void)argc;
	s->once = code == 0;
	return code;
}

int dot_cd(struct shell *s, int argc, char **argv)
{
	(void)s;
	(void)argc;
	return chdir(argv[1]) == 0 ? 0 : no_file(argv[1], errno);
}

int dot_print(struct shell *s, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		buf_puts(&s->out.b, i > 1 ? " " : "");
		text_plain(&s->out.b, argv[i], strlen(argv[i]), s->out.tty);
	}
	buf_putc(&s->out.b, '\n');
	return 0;
}

/* alterctl backup -o FILE. */
int dot_backup(struct shell *s, int argc, char **argv)
{
	char command[] = "backup", option[] = "--output";
	char *all[] = {command, option, argv[1], NULL};

	(void)argc;
	return dot_ctl(s, command_find(command), 3, all);
}
