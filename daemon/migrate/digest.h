/*
 * Digests of bytes as hexadecimal text: what tells whether a migration's file is still the one that was applied. Pure.
 */
#ifndef ALTERD_MIGRATE_DIGEST_H
#define ALTERD_MIGRATE_DIGEST_H

#include <stddef.h>

/* With the NUL behind them. */
#define DIGEST_SHA256_TEXT 65
#define DIGEST_SHA384_TEXT 97

void digest_sha256(const void *data, size_t n, char ret[DIGEST_SHA256_TEXT]);
void digest_sha384(const void *data, size_t n, char ret[DIGEST_SHA384_TEXT]);

#endif
