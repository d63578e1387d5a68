/* What main() of a unit test ends with. */
#ifndef ALTERD_TESTS_RUN_SUITE_H
#define ALTERD_TESTS_RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite and frees it; the exit code. CK_VERBOSITY says how much is told. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
