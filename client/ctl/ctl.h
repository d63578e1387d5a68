/*
 * alterctl: what its commands share.
 *
 *     main.c     dispatch, help                  commands.c the table of commands
 *     args.c     options of a command line       argument.c arguments as values
 *     say.c      messages, errors, exit codes    text.c     numbers, times and sizes for people
 *     table.c    rows in aligned columns         progress.c a migration job as one line
 *     dir.c      the migration files of --dir    start.c    starting a job, asking for consent
 *     cmd_*.c    the commands, a family each     watch.c    following a job until it ends
 *     diff.c     two texts, line by line         scratch.h  a private daemon, for validate and dump
 *     complete.c what a shell offers
 *     status.h   status and --watch              patience.c a word while an answer is awaited
 *
 * stdout carries results, stderr everything else. A command returns its exit code.
 */
#ifndef ALTERD_CTL_H
#define ALTERD_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "client/alterd.h"
#include "proto/buf.h"
#include "proto/doc.h"

/* Exit codes; alterctl(1) lists them. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PENDING = 10, /* status --exit-code */
	EXIT_RUNNING = 11,
	EXIT_PAUSED = 12,
	EXIT_JOB_FAILED = 13,
	EXIT_NO_INPUT = 66, /* the folder of --dir, or a file in it, cannot be read */
	EXIT_UNREACHABLE = 69,
	EXIT_RETRY = 75,
	EXIT_DENIED = 77,
	EXIT_DETACHED = 130, /* Ctrl-C: the job goes on without this program */
};

/* Which options were given, as a mask; the table in args.c names them. */
#define FLAG_JSON (UINT64_C(1) << 0)
#define FLAG_QUIET (UINT64_C(1) << 1)
#define FLAG_NO_COLOR (UINT64_C(1) << 2)
#define FLAG_NO_INPUT (UINT64_C(1) << 3)
#define FLAG_HELP (UINT64_C(1) << 4)
#define FLAG_WATCH (UINT64_C(1) << 5)
#define FLAG_EXIT_CODE (UINT64_C(1) << 6)
#define FLAG_DETACH (UINT64_C(1) << 7)
#define FLAG_FORCE (UINT64_C(1) << 8)
#define FLAG_POSTPONE (UINT64_C(1) << 9)
#define FLAG_TEXT (UINT64_C(1) << 10)
#define FLAG_DIR (UINT64_C(1) << 11)
#define FLAG_TO (UINT64_C(1) << 12)
#define FLAG_FORMAT (UINT64_C(1) << 13)
#define FLAG_FROM (UINT64_C(1) << 14)
#define FLAG_OUT_OF_ORDER (UINT64_C(1) << 15)
#define FLAG_DRY_RUN (UINT64_C(1) << 16)
#define FLAG_TIMESTAMP (UINT64_C(1) << 17)
#define FLAG_USER_VERSION (UINT64_C(1) << 18)
#define FLAG_CHECK (UINT64_C(1) << 19)
#define FLAG_DUMP (UINT64_C(1) << 20)
#define FLAG_SCHEMA (UINT64_C(1) << 21)
#define FLAG_APPLIED (UINT64_C(1) << 22)
#define FLAG_NOT_APPLIED (UINT64_C(1) << 23)
#define FLAG_TRY (UINT64_C(1) << 24)
#define FLAG_OUTPUT (UINT64_C(1) << 25)
#define FLAG_VERIFY (UINT64_C(1) << 26)
#define FLAG_INTERVAL (UINT64_C(1) << 27)
#define FLAG_QUICK (UINT64_C(1) << 28)
#define FLAG_WHOLE (UINT64_C(1) << 29)
#define FLAG_EVENTS (UINT64_C(1) << 30) /* --table and --count */
#define FLAG_FOR (UINT64_C(1) << 31)
#define FLAG_MODE (UINT64_C(1) << 32)
#define FLAG_READONLY (UINT64_C(1) << 33)
#define FLAG_STATEMENTS (UINT64_C(1) << 34)

/* Tables that events takes. */
#define CTL_TABLES_MAX 100

struct ctl {
	uint64_t flags;
	const char *socket;                 /* NULL: the library looks for it */
	const char *null_word;              /* an argument that means NULL; NULL: none does */
	const char *dir;                    /* NULL: the daemon's own folder */
	const char *format;                 /* of the files; NULL: the daemon finds out */
	const char *from;                   /* the tool whose history a baseline takes over, NULL: none named */
	const char *check;                  /* the file a dump is compared with */
	const char *dump;                   /* the file the schema is written to after a run */
	const char *schema;                 /* the file a fresh database is made from */
	const char *output;                 /* the file a backup is fetched to; NULL: none was named */
	int64_t to;                         /* with FLAG_TO */
	int timeout_ms;                     /* -1: none */
	int interval_ms;                    /* of --watch; 0: not said */
	const char *tables[CTL_TABLES_MAX]; /* of events */
	size_t ntables;
	int64_t count;        /* of events, to end after; 0: none was named */
	const char *wait_for; /* NULL: ready */
	const char *mode;     /* of the shell's output; NULL: as the output is a terminal or not */
	const char *by;       /* what statements are sorted by; NULL: not said */
	int64_t limit;        /* of them; 0: not said */
	bool out_tty, err_tty, in_tty;
	bool dumb;                /* a terminal that only knows lines */
	bool utf8;                /* the locale's characters are */
	bool color;               /* on stdout */
	int width;                /* columns of the terminal, 0 if stdout is none */
	struct alterd_conn *conn; /* NULL until ctl_connect() */
};

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool has(const struct ctl *c, uint64_t flag) { return (c->flags & flag) != 0; }

struct command {
	const char *name;
	int (*run)(struct ctl *c, int argc, char **argv); /* argv[0] is the command; options are taken out */
	int min, max;                                     /* arguments behind the name; max -1: any number */
	uint64_t flags;                                   /* options it takes besides the global ones */
	const char *arguments;                            /* for the synopsis */
	const char *summary;                              /* one line */
	const char *help;                                 /* examples first, then what there is to know */
};

/* The command table, ended by a NULL name. */
extern const struct command commands[];
const struct command *command_find(const char *name);
/* All names and what other tools call them, ended by a NULL. */
#define COMMAND_NAMES_MAX 64
void command_names(const char *names[COMMAND_NAMES_MAX + 1]);

/* ---- say.c ---- */

/* A line on stderr, "alterctl: " before it. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same without the name, and neither with --quiet nor with --json: hints, counts. */
void note(const struct ctl *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Connects if not yet done. 0, or an exit code with the reason told. */
int ctl_connect(struct ctl *c);
/* A connection of its own. */
int ctl_open(struct ctl *c, struct alterd_conn **ret);
/* The same with flags of alterd_hello(). */
int ctl_open_as(struct ctl *c, int flags, struct alterd_conn **ret);
/* Tells the connection's error (as JSON with --json), returns the exit code for it. */
int ctl_failed(const struct ctl *c, const struct alterd_conn *conn);
/* The same with words before the message: "load.sql:12: ". */
int ctl_failed_at(const struct ctl *c, const struct alterd_conn *conn, const char *where);
/* The exit code an error means. Pure. */
int exit_code_of(int code, const char *name, bool retryable, const char *data);
/*
 * Calls a method. With --json prints the result as it came, and *ret is NULL; else parses it (caller frees with
 * doc_free). Returns 0 or an exit code with the reason told.
 */
int ctl_call(struct ctl *c, const char *method, const char *params, struct doc **ret);
/* The same, but what --json prints is given back, too. */
int ctl_call_keeping(struct ctl *c, const char *method, const char *params, struct doc **ret);
/* Asks a yes-or-no question on the terminal. False too where there is nobody to ask. */
bool ctl_confirm(const struct ctl *c, const char *question);
bool ctl_may_ask(const struct ctl *c);
/* The allowed word nearest to `word`, NULL if none is near. `words` ends with NULL. */
const char *nearest(const char *word, const char *const *words);
/* Ends the program with a message if `p` is NULL: a tool without memory has nothing else to do. */
void *must(void *p);
/* Prints the buffer on stdout and empties it. False once stdout is gone (`| head`). */
bool print_out(struct buf *b);

/* ---- patience.c ---- */

/*
 * Around a call: on a terminal a word is shown where its answer takes longer than a tenth of a second, and taken away
 * when it is there. Nothing with --quiet or --json.
 */
void patience_begin(const struct ctl *c);
void patience_end(void);
/* What Ctrl-C says from now on, as it ends the program (130): `text` is borrowed for ever. NULL: as before. */
void patience_last_words(const char *text);

/* ---- args.c ---- */

/*
 * Takes the options out of argv, wherever they stand, up to "--". *ret_argc arguments stay, in order. 0, or EXIT_USAGE
 * with the reason told. `-5` and `-` are arguments. Flags outside `allowed` are refused once the command is known.
 */
int args_take(struct ctl *c, int argc, char **argv, int *ret_argc);
/* 0 if all given options belong to the command. */
int args_check(const struct ctl *c, const struct command *command);
/* An option as others see it. */
struct option_view {
	const char *name;         /* "--dir" */
	uint64_t flag;            /* a command takes it if it is among its flags */
	bool global;              /* every command takes it */
	const char *takes;        /* what its value is called, "DIR"; NULL: it takes none */
	const char *const *words; /* the values there are, ended by NULL; NULL: any */
};
/* The i-th option; false behind the last. */
bool args_option(size_t i, struct option_view *ret);
/* The option of this name or letter ("--dir", "-d"). */
bool args_find(const char *arg, struct option_view *ret);
/* How flags are written: "--json, --quiet". */
void args_names(uint64_t flags, struct buf *out);
/*
 * An argument as a value to bind. A whole number as one writes it (no leading zeros, within 64 bits) is INTEGER, a
 * decimal one (1.5, -0.25, 1e6) is REAL, `null_word` is NULL, anything else TEXT; with `text` everything but NULL is
 * TEXT.
 */
struct alterd_value args_value(const char *arg, bool text, const char *null_word);
/* "K=V" for throttle: appends `"K":V` to a JSON object. -1: not of that form, or not a whole number. */
int args_setting(const char *arg, struct buf *params);

/* A whole number without a sign, leading zeros allowed as in a file's name. -1: it is none, or too large. */
int64_t args_number(const char *arg);

/* ---- text.c ---- */

void text_count(struct buf *out, int64_t n);     /* 412k, 1.0M */
void text_number(struct buf *out, int64_t n);    /* 1,000,000 */
void text_bytes(struct buf *out, int64_t bytes); /* 70.0 MiB */
void text_seconds(struct buf *out, double s);    /* 10s, 4m 05s, 2h 13m, 3d 4h */
/* Bytes made harmless for a terminal: control characters, direction overrides and bad UTF-8 are spelled out. */
void text_safe(struct buf *out, const char *p, size_t n);
/* The same on one line: each run of blanks and line ends is one blank. */
void text_flat(struct buf *out, const char *p);
void text_time(struct buf *out, const char *time); /* 2026-03-01T10:00:00Z as 2026-03-01 10:00 */
void text_took(struct buf *out, double ms);        /* 17ms, 1.2s, 4m 05s; nothing below 0 */
/* Blanks behind what stands in the buffer from `from` on, up to `width` columns. */
void text_pad(struct buf *out, size_t from, int width);
/* Cuts what stands in the buffer from `at` on to `width` columns, with an ellipsis; 0: any. */
void text_cut(struct buf *b, size_t at, int width);
/* Columns a terminal needs for valid UTF-8. */
int text_width(const char *p, size_t n);
/* Bytes of the longest front part that needs at most `width` columns. */
size_t text_fit(const char *p, size_t n, int width);

/* ---- progress.c ---- */

/* What is shown of a job. Strings are borrowed from the document it was read from. */
struct progress {
	const char *id, *state, *phase, *table, *name, *throttled, *reason;
	int64_t version;                           /* -1: an ad hoc change */
	int64_t rows_done, rows_total, rows_per_s; /* -1 unknown */
	double percent, eta_s;                     /* -1 unknown */
	bool exact, postponed;
};

/* Reads a job object; false if it is null. */
bool progress_read(const struct doc_node *job, struct progress *ret);
/* True for done, failed, aborted. */
bool progress_ended(const struct progress *p);
/* One line, no line break, at most `width` columns (0: any). Never shows 100 % before the job is done. */
void progress_line(struct buf *out, const struct progress *p, int width);
/* The same without title and bar: "copying user 41.2% (412k/~1.0M)  58k rows/s  ETA 10s". */
void progress_words(struct buf *out, const struct progress *p, int width);
/* Its parts: what it does, as a person would say it; 0 to 100; "412k/~1.0M", if rows are counted yet; why it waits. */
void progress_doing(struct buf *out, const struct progress *p);
double progress_percent(const struct progress *p);
bool progress_counted(const struct progress *p);
void progress_rows(struct buf *out, const struct progress *p);
void progress_remark(struct buf *out, const struct progress *p);
/* "13 split_name" or "m7 alter". */
void progress_title(struct buf *out, const struct progress *p);

/* ---- watch.c ---- */

/* Ctrl-C sets a flag instead of ending the program; a second one ends it at once. */
void interrupt_catch(void);
bool interrupted(void);
/* As if none had been. */
void interrupt_forget(void);
/* Waits; returns early at Ctrl-C. */
void pause_ms(int ms);
/* Follows a job until it ends, showing its progress; prints what came of it. Returns the exit code. */
int watch_job(struct ctl *c, const char *job);
/* Prints how a job ended: figures on stdout, or the failure and its rows on stderr. Returns the exit code. */
int report_job(const struct ctl *c, const struct doc_node *job);

/* ---- dir.c ---- */

/* With --dir: appends its files to a JSON object as "files". 0, or an exit code with the reason told. */
int dir_files(const struct ctl *c, struct buf *params);

/* ---- diff.c ---- */

/*
 * Appends the lines of `a` that go (-) and those of `b` that come (+), with a little around them and at most `most`
 * lines; nothing if the texts have the same lines. Line ends of CRLF count as LF.
 */
void diff_lines(const char *a, const char *b, size_t most, struct buf *out);

/* ---- cmd_dump.c ---- */

/* Appends the schema and the versions of the database. -1: the connection's error says why. */
int dump_text(struct alterd_conn *conn, struct buf *out, int64_t *ret_version);
/* With --dump, connected: writes them to the file. 0, or an exit code with the reason told. */
int dump_write(struct ctl *c);
/* With --schema: appends the file to a JSON object as "schema". 0, or an exit code with the reason told. */
int schema_params(const struct ctl *c, struct buf *params);

/* ---- start.c ---- */

/*
 * Calls a method that starts a job, connected. `params` is a JSON object without its end, and stays as it was; what the
 * options say is added. Asks for consent where data would be lost. 0 with the answer in *ret (caller frees), or an exit
 * code with the reason told.
 */
int job_start(struct ctl *c, const char *method, struct buf *params, struct doc **ret);
/* The same for --json: the answer is printed, when the job has ended or (--detach) begun. Never asks. */
int job_json(struct ctl *c, const char *method, struct buf *params, struct doc **ret);
/* watch_job(), or with --detach just its name. */
int job_follow(struct ctl *c, const char *job);

/* ---- table.c ---- */

struct table;

struct table *table_new(const struct ctl *c);
void table_free(struct table *t);
void table_column(struct table *t, const char *name);
/* A row of as many values as there are columns. Rows are kept until their widths are known, then printed as they come.
 */
bool table_row(struct table *t, const struct alterd_value *row);
/* A row of texts; NULL is an empty cell. */
void table_texts(struct table *t, const char *const *row);
/* Prints what is still kept. */
void table_end(struct table *t);
/* Renders into `out` instead of stdout; for tests and stderr. Before the first row. */
void table_into(struct table *t, struct buf *out);

/* ---- complete.c ---- */

/* alterctl --complete: argv holds the place of the word to complete, counted from alterctl, and the words behind it. */
int complete_words(struct ctl *c, int argc, char **argv);

/* ---- the commands ---- */

/* The SQL given, or all of stdin for "-". 0 or an exit code with the reason told. */
int read_sql(const char *arg, struct buf *out);

/* After a failed statement: the line of it that the error is in, and a mark below the place. */
void show_place(const struct ctl *c, const char *sql);
/* Lines of the statement before the one that the error is in. */
int64_t place_line(const struct ctl *c, const char *sql);

int cmd_ping(struct ctl *c, int argc, char **argv);
int cmd_status(struct ctl *c, int argc, char **argv);
int cmd_stats(struct ctl *c, int argc, char **argv);
int cmd_advise(struct ctl *c, int argc, char **argv);
int cmd_metrics(struct ctl *c, int argc, char **argv);
int cmd_sessions(struct ctl *c, int argc, char **argv);
int cmd_config(struct ctl *c, int argc, char **argv);
int cmd_reload(struct ctl *c, int argc, char **argv);
int cmd_kill(struct ctl *c, int argc, char **argv);
int cmd_version(struct ctl *c, int argc, char **argv);
int cmd_help(struct ctl *c, int argc, char **argv);
int cmd_query(struct ctl *c, int argc, char **argv);
int cmd_exec(struct ctl *c, int argc, char **argv);
int cmd_schema(struct ctl *c, int argc, char **argv);
int cmd_shell(struct ctl *c, int argc, char **argv);
int cmd_alter(struct ctl *c, int argc, char **argv);
int cmd_pause(struct ctl *c, int argc, char **argv);
int cmd_resume(struct ctl *c, int argc, char **argv);
int cmd_abort(struct ctl *c, int argc, char **argv);
int cmd_throttle(struct ctl *c, int argc, char **argv);
int cmd_cutover(struct ctl *c, int argc, char **argv);
int cmd_history(struct ctl *c, int argc, char **argv);
int cmd_list(struct ctl *c, int argc, char **argv);
int cmd_plan(struct ctl *c, int argc, char **argv);
int cmd_up(struct ctl *c, int argc, char **argv);
int cmd_down(struct ctl *c, int argc, char **argv);
int cmd_to(struct ctl *c, int argc, char **argv);
int cmd_redo(struct ctl *c, int argc, char **argv);
int cmd_new(struct ctl *c, int argc, char **argv);
int cmd_baseline(struct ctl *c, int argc, char **argv);
int cmd_repair(struct ctl *c, int argc, char **argv);
int cmd_validate(struct ctl *c, int argc, char **argv);
int cmd_dump(struct ctl *c, int argc, char **argv);
int cmd_resolve(struct ctl *c, int argc, char **argv);
int cmd_backup(struct ctl *c, int argc, char **argv);
int cmd_restore(struct ctl *c, int argc, char **argv);
int cmd_check(struct ctl *c, int argc, char **argv);
int cmd_analyze(struct ctl *c, int argc, char **argv);
int cmd_shrink(struct ctl *c, int argc, char **argv);
int cmd_events(struct ctl *c, int argc, char **argv);
int cmd_wait(struct ctl *c, int argc, char **argv);
/* N, --to, --dir and --format as the beginning of a JSON object. 0 or an exit code with the reason told. */
int files_params(struct ctl *c, int argc, char **argv, struct buf *params);
/* migrate.plan with these parameters, which it ends, as text. */
int show_plan(struct ctl *c, struct buf *params);

#endif
