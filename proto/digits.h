/* Decimal text without printf, for value.c and response.c. Inside proto only. */
#ifndef ALTERD_PROTO_DIGITS_H
#define ALTERD_PROTO_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"

/* Digits behind the point that digits_write_fixed() can write. */
#define DIGITS_FRACTION_MAX 6

/* Writes m / 10^decimals with exactly so many digits behind the point; no point for 0. */
void digits_write_fixed(struct buf *out, bool negative, uint64_t m, int decimals);

/* 10^decimals, for 0 to DIGITS_FRACTION_MAX. */
double digits_power(int decimals);

#endif
