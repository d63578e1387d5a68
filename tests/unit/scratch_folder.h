/* A folder of a test's own, in $TMPDIR or /tmp. The test removes it. */
#ifndef ALTERD_TESTS_SCRATCH_FOLDER_H
#define ALTERD_TESTS_SCRATCH_FOLDER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static inline void scratch_folder(char *ret, size_t size)
{
	const char *where = getenv("TMPDIR");
	int n = snprintf(ret, size, "%s/alterd-test-XXXXXX", where && *where ? where : "/tmp");

	ck_assert_msg(n > 0 && (size_t)n < size, "$TMPDIR is too long");
	ck_assert_ptr_nonnull(mkdtemp(ret));
}

#endif
