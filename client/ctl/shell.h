/*
 * alterctl shell: an interpreter of SQL and dot commands, for people, scripts and pipes.
 *
 *     cmd_shell.c       options, where the input comes from       shell_feed.c     lines to statements and commands
 *     shell_split.c     where a statement ends                    shell_run.c      a statement, its rows, its errors
 *     shell_link.c      the connection, lost and found again      shell_cancel.c   Ctrl-C
 *     shell_edit.c      the line editor                           shell_history.c  lines remembered in a file
 *     shell_complete.c  what a Tab could mean                     shell_words.c    SQL's words, the schema's names
 *     shell_dot.c       the table of dot commands                 shell_dot_*.c    the commands, a family each
 *     shell_sink.c      where output goes                         render.h         rows in a mode
 *
 * One thread does it all, but for the one in shell_cancel.c. Functions that fail have told why, and return an exit
 * code of ctl.h; 0 is success.
 */
#ifndef ALTERD_CTL_SHELL_H
#define ALTERD_CTL_SHELL_H

#include "client/ctl/ctl.h"
#include "client/ctl/render.h"

/* Longest statement or line; the daemon takes lines of 16 MiB. */
#define SHELL_TEXT_MAX ((size_t)16 << 20)
/* Longest statement that .watch repeats. */
#define SHELL_LAST_MAX ((size_t)1 << 20)
#define SHELL_READ_DEPTH_MAX 16
#define SHELL_PARAMETERS_MAX 100

/* What is known of the session's transaction, for the prompt. FAILED: everything is refused until ROLLBACK. */
enum shell_tx { SHELL_TX_NONE, SHELL_TX_OPEN, SHELL_TX_FAILED };

/* A value of `.parameter set`. */
struct shell_parameter {
	char *name; /* with its ':', '@' or '$' */
	char *text;
};

struct shell {
	struct ctl *ctl;
	struct render_look look;
	char insert_table[256];       /* look.table */
	enum render_mode mode_before; /* what \x goes back to */
	struct sink out;
	bool interactive; /* a person is there: prompts, and errors do not end the input */
	bool bail, echo, timer, changes;
	bool readonly;
	bool once; /* out goes to a file for one statement or command */
	bool quit; /* .quit, or nobody reads the output any more */
	int quit_code;
	int depth; /* of .read */
	enum shell_tx tx;
	bool was_connected;
	int64_t total_changes;
	struct buf last; /* the last statement, for .watch */
	struct shell_parameter parameters[SHELL_PARAMETERS_MAX];
	size_t nparameters;
	struct names *names; /* for completion; NULL: none read yet */
};

/* ---- shell_split.c ---- */

enum split_at {
	SPLIT_START,
	SPLIT_NORMAL,
	SPLIT_EXPLAIN,
	SPLIT_CREATE,
	SPLIT_TRIGGER,
	SPLIT_SEMI,
	SPLIT_END,
};

/*
 * Finds the `;` that ends a statement, by the rule of sqlite3_complete(): not in strings, quoted names and comments,
 * and in a CREATE TRIGGER only behind its END. Zeroed it stands at the beginning.
 */
struct split {
	enum split_at at;
	char close;  /* of the string, name or comment it is in; 0: in none */
	char before; /* a '-', '/' or '*' that may be half of a comment's mark */
	char word[12];
	unsigned nword;
	bool comment; /* close is that of a comment: '\n' or '*' */
	bool blank;   /* valid where a statement ends: there were blanks and comments only */
	bool solid;   /* something else than blanks and comments was seen in this statement */
};

/* Takes a byte; true: a statement ends with it. */
bool split_take(struct split *s, char c);
/* True while nothing but blanks and comments was seen, and no comment is open. */
bool split_is_blank(const struct split *s);
/* The text's first word as capital letters, behind blanks and comments; "" if there is none or it is longer. */
void split_first_word(const char *sql, char *out, size_t size);
/* Behind blanks and comments. */
const char *split_skip(const char *p);

/* ---- shell_feed.c ---- */

/* Where lines come from, and what of them is not yet a statement. */
struct feed {
	struct shell *shell;
	const char *name; /* of a file, for errors; NULL: a person types */
	int64_t line;     /* of the last line given */
	int64_t begun;    /* the line the pending statement begins in */
	struct buf pending;
	struct split split;
};

/* A line without its end. Runs what it completes. 0, or the exit code of what failed; the rest of the line is dropped.
 */
int feed_line(struct feed *f, const char *line, size_t n);
/* Several lines, the last one without its end. Stops at what fails. */
void feed_lines_of(struct feed *f, const struct buf *lines);
/* The input has ended: runs a last statement that has no `;`. */
int feed_end(struct feed *f);
/* True if the next line begins a statement. */
bool feed_is_empty(const struct feed *f);
void feed_drop(struct feed *f);
void feed_free(struct feed *f);
/* All lines of a descriptor, until it ends, .quit, or an error with `bail`. Returns the last error's exit code. */
int feed_descriptor(struct shell *s, int fd, const char *name);
/* The same for a text. */
int feed_text(struct shell *s, const char *text, const char *name);

/* ---- shell_run.c ---- */

/* Runs one statement and shows its rows. `name` and `line` tell where it stands; NULL: a person typed it. */
int shell_run(struct shell *s, const char *sql, const char *name, int64_t line);
/* Shows all rows of a result. -1: the connection's error says why they end; Ctrl-C ends them quietly. */
int shell_rows(struct shell *s, const struct render_look *look, struct alterd_result *r);
/* Tells an error with its place: "file:12: " before it where there is a file. */
void shell_complain(const struct shell *s, const char *name, int64_t line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- shell_link.c ---- */

/* Connects, if that is not the case. */
int shell_connect(struct shell *s);
/* After a failed call: drops a connection that is of no more use, and tells so. */
void shell_look_at_link(struct shell *s);
/* Asks the daemon whether a transaction is open; `word` is the first of the statement that ran, `failed` how it went.
 */
void shell_look_at_tx(struct shell *s, const char *word, bool failed);
/*
 * Runs SQL of the shell's own: NULL-ended `binds` are texts for its ?s. *ret is freed by the caller. Tells an error.
 */
int shell_query(struct shell *s, const char *sql, const char *const *binds, struct alterd_result **ret);
/* Runs it and shows its rows in the given mode, headings on. */
int shell_show(struct shell *s, const char *sql, const char *const *binds, enum render_mode mode);

/* ---- shell_cancel.c ---- */

/* From here on Ctrl-C ends no program: it cancels what is watched. Not before a fork. */
void cancel_start(void);
void cancel_stop(void);
/* Takes Ctrl-C back from another handler that was set meanwhile. */
void cancel_resume(void);
/* While a call runs on this connection Ctrl-C is sent to the daemon; a second one gives the connection up. */
void cancel_watch(struct alterd_conn *conn);
/* Ends that. Returns whether there was a Ctrl-C since cancel_forget(). */
bool cancel_unwatch(void);
/* Whether there was one; without a canceller never. */
bool cancel_asked(void);
/* Before a line is read: what came before it is not meant for it. */
void cancel_forget(void);

/* ---- shell_edit.c ---- */

struct editor;
/* INTERRUPTED: Ctrl-C dropped a line, or there was none (EMPTY). */
enum edit_result { EDIT_LINE, EDIT_INTERRUPTED, EDIT_INTERRUPTED_EMPTY, EDIT_END };

/* Reads lines of the terminal, with editing where it can. `s` is borrowed. */
struct editor *editor_new(struct shell *s);
void editor_free(struct editor *e);
/* One line without its end; `pending` is what stands before it in an unfinished statement, for completion. */
enum edit_result editor_read(struct editor *e, const char *prompt, const char *pending, struct buf *line);
/* Keeps a statement or command for the arrow keys, and in the history's file. */
void editor_remember(struct editor *e, const char *text, size_t n);

/* ---- shell_history.c ---- */

/* The file's path; false: there is no home. Makes its folders. */
bool history_path(struct buf *out);
/* Calls `take` with each entry, the oldest first; shortens a file that has become long. */
void history_load(const char *path, void (*take)(void *to, const char *entry), void *to);
void history_append(const char *path, const char *entry, size_t n);
/* An entry is one line of the file: line ends and backslashes are written with a backslash. */
void history_encode(struct buf *out, const char *p, size_t n);
void history_decode(struct buf *out, const char *p, size_t n);

/* ---- shell_words.c ---- */

/* SQLite's key words in order, NULL at the end. */
extern const char *const sql_words[];
/* True for a name that has to stand in quotes: not of letters, digits and _, or a key word. */
bool sql_needs_quotes(const char *name);

struct names_table {
	char *name;
	char **columns;
	size_t ncolumns;
};

struct names {
	int64_t schema_version;
	struct names_table *tables;
	size_t ntables;
	char **others; /* indexes, triggers */
	size_t nothers;
};

/* Reads the schema's names if they are other than those there are. Quietly: without a daemon they stay. */
void names_refresh(struct shell *s);
void names_free(struct names *n);

/* ---- shell_complete.c ---- */

struct completion {
	char **words;
	size_t n;
	size_t from; /* byte of `line` where the word begins that they complete */
	bool more;   /* there were more than are listed */
};

/* What could stand at the end of `line`; `before` is the statement's earlier lines. Words begin like what is there. */
void complete(const struct names *names, const char *before, const char *line, struct completion *ret);
void completion_free(struct completion *c);
/* Bytes that all words share at their beginning. */
size_t completion_common(const struct completion *c);

/* ---- shell_dot.c ---- */

struct dot_command {
	const char *name; /* with its '.' or '\' */
	int (*run)(struct shell *s, int argc, char **argv);
	int min, max; /* arguments; max -1: any number */
	const char *arguments;
	const char *summary;
	const char *help; /* more, for .help NAME; NULL: nothing to add */
};

extern const struct dot_command dot_commands[];
/* One line that begins with a dot or a backslash. */
int dot_run(struct shell *s, const char *line, const char *name, int64_t number);
/* The command that a word means, a beginning of its name included. NULL: none, or several. */
const struct dot_command *dot_find(const char *word);
/* alterctl's command that a word like ".status" means. */
const struct command *dot_ctl_command(const char *word);
/* Those that there are, NULL at the end. */
extern const char *const dot_ctl_words[];
/* "on" or "off" into *ret; else tells so and returns EXIT_USAGE. */
int dot_switch(const char *arg, bool *ret);

int dot_help(struct shell *s, int argc, char **argv);
int dot_ctl(struct shell *s, const struct command *k, int argc, char **argv);
/* shell_dot_schema.c */
int dot_tables(struct shell *s, int argc, char **argv);
int dot_indexes(struct shell *s, int argc, char **argv);
int dot_schema(struct shell *s, int argc, char **argv);
int dot_databases(struct shell *s, int argc, char **argv);
int dot_describe(struct shell *s, int argc, char **argv);
/* shell_dot_look.c */
int dot_mode(struct shell *s, int argc, char **argv);
int dot_expanded(struct shell *s, int argc, char **argv);
int dot_headers(struct shell *s, int argc, char **argv);
int dot_nullvalue(struct shell *s, int argc, char **argv);
int dot_separator(struct shell *s, int argc, char **argv);
int dot_width(struct shell *s, int argc, char **argv);
int dot_timer(struct shell *s, int argc, char **argv);
int dot_changes(struct shell *s, int argc, char **argv);
int dot_echo(struct shell *s, int argc, char **argv);
int dot_bail(struct shell *s, int argc, char **argv);
int dot_show(struct shell *s, int argc, char **argv);
/* shell_dot_files.c */
int dot_read(struct shell *s, int argc, char **argv);
int dot_output(struct shell *s, int argc, char **argv);
int dot_once(struct shell *s, int argc, char **argv);
int dot_cd(struct shell *s, int argc, char **argv);
int dot_print(struct shell *s, int argc, char **argv);
int dot_backup(struct shell *s, int argc, char **argv);
/* Output goes to this file from here on; NULL: to stdout again. */
int shell_output(struct shell *s, const char *path);
/* Writes out what was gathered. Where that is not possible any more a script ends, and a person gets the terminal. */
void shell_flush(struct shell *s);
/* shell_dump.c, shell_import.c, shell_dot_more.c */
int dot_dump(struct shell *s, int argc, char **argv);
int dot_import(struct shell *s, int argc, char **argv);
int dot_parameter(struct shell *s, int argc, char **argv);
int dot_watch(struct shell *s, int argc, char **argv);
int dot_quit(struct shell *s, int argc, char **argv);

#endif
