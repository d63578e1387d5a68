/*
 * The listening socket: bound safely, or taken over from systemd; and who comes in through it.
 */
#ifndef ALTERD_SERVER_LISTENER_H
#define ALTERD_SERVER_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "proto/error.h"

struct listener {
	uv_poll_t poll;
	bool polling;      /* `poll` is an open handle */
	bool paused;       /* nobody is let in for now */
	int fd;            /* -1: none */
	int reserve;       /* a descriptor given up to answer a client when there is none left */
	bool short_of_fds; /* said so in the log; once until it is over */
	bool bound;        /* the file is ours to unlink */
	const char *path;
	dev_t dev; /* of the socket file, to know it again */
	ino_t ino;
	/* Takes a connected descriptor, non-blocking and close-on-exec. */
	void (*accepted)(void *arg, int fd);
	/* Takes one that cannot be kept because the process ran out of descriptors: answer and close it at once. */
	void (*refused)(void *arg, int fd);
	void *arg;
};

/* 75 in *ret_exit if a daemon answers at `path`. Changes nothing. */
int listener_probe(const char *path, int *ret_exit, struct error *err);

/*
 * Binds `path` with `mode` and listens. A stale file of a daemon that died is replaced; one in use, or one that is no
 * socket, is not. `path` is borrowed. Errors: 66 folder missing, 75 in use, 77 not permitted, 78 name unusable, 71
 * else.
 */
int listener_bind(struct listener *l, const char *path, mode_t mode, int backlog, int *ret_exit, struct error *err);
/* Takes the socket systemd made. */
void listener_adopt(struct listener *l, int fd);

/* Begins to accept. */
int listener_start(struct listener *l, uv_loop_t *loop);
/* Lets nobody in for now, or goes on; those who come wait in the kernel's queue. */
void listener_pause(struct listener *l, bool paused);
/* Stops accepting; unlinks the file if it is still the one this daemon made. May be called twice. */
void listener_stop(struct listener *l);

#endif
