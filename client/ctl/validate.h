/*
 * validate: what was found. cmd_validate.c reads the files and tells; validate_run.c tries the versions in databases of
 * their own.
 */
#ifndef ALTERD_CTL_VALIDATE_H
#define ALTERD_CTL_VALIDATE_H

#include "client/ctl/ctl.h"

struct check {
	int64_t version;
	char *name, *file;
	bool reversible;
	bool failed, up, back; /* something was found; it was run; and taken back, and run again */
};

struct problem_found {
	int64_t version; /* -1: of none */
	char *rule, *file, *message;
	int64_t line; /* 0: none */
};

struct validate {
	struct ctl *ctl;
	struct buf params; /* the files, as the beginning of a request's parameters */
	size_t begun;      /* bytes of them */
	char *format;
	size_t nchecks, nproblems, nwarnings;
	struct check *checks; /* in the order they are applied in */
	struct problem_found *problems;
	char **warnings;
};

/* A finding of the version `at` (NULL: of none). `file` NULL: the version's. */
void finding(struct validate *v, struct check *at, const char *rule, const char *file, int64_t line,
	     const char *message);
void remark(struct validate *v, const char *message);

/* Runs the versions. 0, also if that finds something; an exit code, told, where it could not be tried. */
int try_versions(struct validate *v);

#endif
