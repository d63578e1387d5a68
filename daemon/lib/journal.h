/*
 * The journal's native protocol: one datagram an entry, a line a field, or name, length and bytes where the value has
 * line ends. An entry that is too large for a datagram goes in a sealed memory file. No library: the protocol is
 * documented and stable.
 */
#ifndef ALTERD_LIB_JOURNAL_H
#define ALTERD_LIB_JOURNAL_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/buf.h"

struct journal {
	int fd; /* -1: closed */
	struct sockaddr_un address;
	socklen_t address_len;
};

/* 0, or -1 where the path cannot be a socket's or nothing is there now. What is lost later, journal_send() tells. */
int journal_open(struct journal *j, const char *path);
void journal_close(struct journal *j);

/* Appends a field to an entry. The name is capitals, digits and '_'; the value may hold anything. */
void journal_field(struct buf *entry, const char *name, const char *value, size_t n);
void journal_text(struct buf *entry, const char *name, const char *value);

/* Sends an entry, without waiting; any thread. -1: it was not taken (errno tells why). */
int journal_send(const struct journal *j, const struct buf *entry);

#endif
