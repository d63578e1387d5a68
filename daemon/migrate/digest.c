/* The border to libnettle, which has no state to set up and no failure. */
#include "daemon/migrate/digest.h"

#include <nettle/sha2.h>
#include <stdint.h>

static void hex(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

void digest_sha256(const void *data, size_t n, char ret[DIGEST_SHA256_TEXT])
{
	struct sha256_ctx context;
	uint8_t bytes[SHA256_DIGEST_SIZE];

	sha256_init(&context);
	if (n > 0)
		sha256_update(&context, n, data);
	sha256_digest(&context, sizeof(bytes), bytes);
	hex(bytes, sizeof(bytes), ret);
}

void digest_sha384(const void *data, size_t n, char ret[DIGEST_SHA384_TEXT])
{
	struct sha384_ctx context;
	uint8_t bytes[SHA384_DIGEST_SIZE];

	sha384_init(&context);
	if (n > 0)
		sha384_update(&context, n, data);
	sha384_digest(&context, sizeof(bytes), bytes);
	hex(bytes, sizeof(bytes), ret);
}
