/*
 * systemd's two small protocols, spoken without libsystemd: state notification and socket activation.
 *
 * Both are no-ops where the environment does not ask for them.
 */
#ifndef ALTERD_SERVER_NOTIFY_H
#define ALTERD_SERVER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What is asked for at a time, and a half of it is how long it waits to ask again. */
#define NOTIFY_PATIENCE_MS UINT64_C(60000)

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t address_len;
	uint64_t watchdog_ms; /* half of WATCHDOG_USEC; 0: no watchdog */
	uint64_t fed_ms;      /* when the watchdog was fed last */
	uint64_t beat;        /* the writer's pulse at that time */
	uint64_t patient_ms;  /* until when systemd was last asked to be patient */
	uint64_t work;        /* the writer's pulse at that time */
	char status[256];     /* the last STATUS= sent */
};

/* Reads $NOTIFY_SOCKET and $WATCHDOG_USEC and removes them from the environment. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);

/* One datagram of printf-like text, "READY=1". Never blocks; a failure is not told, since nobody could act on it. */
void notify_send(struct notify *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* RELOADING=1 with the time it began; READY=1 must follow. */
void notify_reloading(struct notify *n);
/* STATUS=, if it differs from the last one. */
void notify_status(struct notify *n, const char *line);
/* Feeds the watchdog when half its interval is over and `beat` moved since the last time. */
void notify_watchdog(struct notify *n, uint64_t now_ms, uint64_t beat);

/* How often to call notify_watchdog(), in ms: `most`, or as often as a short watchdog needs. */
uint64_t notify_every(const struct notify *n, uint64_t most);
/*
 * While starting or stopping takes longer than the unit allows for: asks for NOTIFY_PATIENCE_MS more from now on,
 * again and again, as long as `work` moves. Nothing is asked for a daemon that does not get on any more.
 */
void notify_patience(struct notify *n, uint64_t now_ms, uint64_t work);

/*
 * The listening socket systemd passed: its descriptor, -1 if there is none, -2 if what was passed cannot be used.
 * Removes the variables from the environment.
 */
int notify_listen_fd(void);

#endif
