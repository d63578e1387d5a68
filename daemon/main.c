/* alterd: arguments, configuration, run, exit code. */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/restore.h"
#include "daemon/server/server.h"
#include "proto/response.h"

static const char usage_text[] =
	"usage: alterd --database FILE --socket PATH [--config FILE] [--set section.key=value]...\n"
	"       alterd [--config FILE] [--set section.key=value]... --check-config\n"
	"       alterd --restore BACKUP --database FILE\n"
	"       alterd --version | --help\n"
	"\n"
	"Owns the SQLite file FILE, serves it on the Unix socket PATH, and changes its schema online.\n"
	"\n"
	"  --database FILE          the database; created if missing (store.database)\n"
	"  --socket PATH            the socket (server.socket)\n"
	"  --config FILE            settings, with the drop-ins in FILE.d\n"
	"  --set section.key=value  one setting; wins over the file; may be repeated\n"
	"  --default section.key=value  the same, but the file wins\n"
	"  --check-config           check the settings, print them as they are in force, and exit\n"
	"  --restore BACKUP         put a backup in the database's place, keep what was there, and exit\n"
	"  --json                   with --restore: tell what was done as JSON\n"
	"  --version, --help\n"
	"\n"
	"SIGTERM and SIGINT end it after what runs has ended, SIGHUP reads the settings again. See alterd(8).\n";

struct arguments {
	struct server_options options;
	bool check_config;
	const char *rehearse, *restore; /* NULL, both: serve */
	bool json;
	bool done; /* --help or --version: everything is said */
};

/* Takes the text. */
static void add(const char ***list, size_t *count, char *assignment)
{
	const char **grown = realloc(*list, (*count + 1) * sizeof *grown);

	CHECK(grown);
	grown[(*count)++] = assignment;
	*list = grown;
}

static void add_set(struct arguments *a, char *assignment)
{
	add(&a->options.sets, &a->options.sets_count, assignment);
}

/* --database FILE is --set store.database=FILE. */
static void add_named(struct arguments *a, const char *key, const char *value)
{
	char *assignment = NULL;

	CHECK(asprintf(&assignment, "%s=%s", key, value) >= 0);
	add_set(a, assignment);
}

static const struct option options[] = {
	{"database", required_argument, NULL, 'd'}, {"socket", required_argument, NULL, 's'},
	{"config", required_argument, NULL, 'c'},   {"set", required_argument, NULL, 'x'},
	{"default", required_argument, NULL, 'D'},  {"check-config", no_argument, NULL, 'k'},
	{"version", no_argument, NULL, 'V'},        {"help", no_argument, NULL, 'h'},
	{"rehearse", required_argument, NULL, 'r'}, {"restore", required_argument, NULL, 'R'},
	{"json", no_argument, NULL, 'j'},           {NULL, 0, NULL, 0},
};

/* Returns 0 or EX_USAGE. */
static int parse(int argc, char **argv, struct arguments *a)
{
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			add_named(a, "store.database", optarg);
			break;
		case 's':
			add_named(a, "server.socket", optarg);
			break;
		case 'c':
			a->options.config_path = optarg;
			break;
		case 'x':
			add_set(a, xstrdup(optarg));
			break;
		case 'D':
			add(&a->options.defaults, &a->options.defaults_count, xstrdup(optarg));
			break;
		case 'k':
			a->check_config = true;
			break;
		case 'r':
			a->rehearse = optarg;
			break;
		case 'R':
			a->restore = optarg;
			break;
		case 'j':
			a->json = true;
			break;
		case 'V':
			(void)printf("alterd " ALTERD_VERSION "\n");
			a->done = true;
			return 0;
		case 'h':
			(void)fputs(usage_text, stdout);
			a->done = true;
			return 0;
		default:
			(void)fputs("try: alterd --help\n", stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "alterd: unexpected argument %s\ntry: alterd --help\n", argv[optind]);
		return EX_USAGE;
	}
	return 0;
}

/* Prints what is in force, in the shape of the file. */
static void print_config(const struct config *config)
{
	struct buf text = {0};

	config_dump(config, &text);
	(void)fputs(buf_cstr(&text), stdout);
	buf_free(&text);
}

static void print_restored(const struct arguments *a, const char *database, struct restored *r)
{
	struct buf text = {0};

	if (a->json) {
		jw_open(&text, '{');
		jw_str(&text, "database", database);
		jw_int(&text, "bytes", r->bytes);
		jw_int(&text, "version", r->version);
		jw_str(&text, "kept", r->kept.len ? buf_cstr(&r->kept) : NULL);
		jw_close(&text, '}');
		buf_putc(&text, '\n');
	} else {
		buf_printf(&text, "%s is restored: %" PRId64 " bytes, version %" PRId64 "\n", database, r->bytes,
			   r->version);
		if (r->kept.len)
			buf_printf(&text, "what was there is kept as %s\n", buf_cstr(&r->kept));
	}
	(void)fputs(buf_cstr(&text), stdout);
	buf_free(&text);
}

static int restore(const struct arguments *a, const struct config *config)
{
	struct restored r;
	struct error err = {0};
	int exit_code = EX_OK;

	if (restore_backup(a->restore, config->store_database, config->store_disk_reserve, &r, &exit_code, &err) != 0) {
		(void)fprintf(stderr, "alterd: %s\n", err.message);
		if (r.kept.len)
			(void)fprintf(stderr, "alterd: what was there is at %s as well\n", buf_cstr(&r.kept));
		error_clear(&err);
	} else {
		print_restored(a, config->store_database, &r);
		exit_code = EX_OK;
	}
	buf_free(&r.kept);
	return exit_code;
}

static int run(const struct arguments *a)
{
	struct config config;
	struct error err = {0};
	enum log_level level;
	enum log_format format;

	if (server_config_load(&a->options, &config, &err) != 0) {
		log_error("config", "%s", err.message);
		error_clear(&err);
		return EX_CONFIG;
	}
	if (a->check_config) {
		print_config(&config);
		config_free(&config);
		return EX_OK;
	}
	if (log_level_by_name(config.log_level, &level))
		log_set_level(level);
	if (!config.store_database[0]) {
		(void)fputs("alterd: which database? give --database FILE, or "
			    "store.database in the configuration\n",
			    stderr);
		config_free(&config);
		return EX_USAGE;
	}
	if (a->restore) {
		int exit_code = restore(a, &config);
		config_free(&config);
		return exit_code;
	}
	if (log_format_by_name(config.log_format, &format))
		log_open(format, config.log_journal);
	return server_run(&a->options, &config);
}

int main(int argc, char **argv)
{
	struct arguments a = {0};
	int exit_code;

	/*
	 * Small freed chunks are joined with their neighbours at once, not all together when some later malloc is
	 * large: after a statement that took much memory in small pieces that took half a second, with SQLite's
	 * allocator locked for all.
	 */
	(void)mallopt(M_MXFAST, 0);
	/* Large pieces go back to the system when they are freed; by default glibc keeps up to 32 MB of each kind seen.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 4 << 20);
	log_init();
	exit_code = parse(argc, argv, &a);
	if (exit_code == EX_OK && !a.done)
		exit_code = a.rehearse ? server_rehearse(a.rehearse) : run(&a);
	for (size_t i = 0; i < a.options.sets_count; i++)
		free((char *)a.options.sets[i]);
	for (size_t i = 0; i < a.options.defaults_count; i++)
		free((char *)a.options.defaults[i]);
	free(a.options.sets);
	free(a.options.defaults);
	return exit_code;
}
