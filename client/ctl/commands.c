/* The commands: all there is to know about each. Dispatch, help and completion go by this table. */
#include <string.h>

#include "client/ctl/ctl.h"

#define RUN_FLAGS (FLAG_DIR | FLAG_FORMAT | FLAG_FORCE | FLAG_POSTPONE | FLAG_DETACH)
#define RUN_HELP                                                                                                       \
	"Ctrl-C detaches: the daemon goes on, which status, pause, resume and abort steer; a second\n"                 \
	"Ctrl-C ends at once. --detach does not wait. --allow-data-loss (-f) consents to lose data;\n"                 \
	"without it one is asked, or refused. --postpone-cutover stops before a swap.\n"
#define FILES_HELP                                                                                                     \
	"--dir DIR sends the files of DIR; else the daemon's own folder counts. --format says whose\n"                 \
	"form they have: auto, dbmate, goose, golang-migrate, sqlx, diesel, sqflite, flyway, refinery.\n"

const struct command commands[] = {
	{"ping", cmd_ping, 0, 0, 0, "", "is the daemon there, and how fast does it answer",
	 "  alterctl ping\n"
	 "  alterctl --timeout 2 ping || echo down\n"},
	{"status", cmd_status, 0, 0, FLAG_WATCH | FLAG_EXIT_CODE | FLAG_INTERVAL,
	 "[--watch [--interval SECONDS]] [--exit-code]", "the daemon and its migration at a glance",
	 "  alterctl status\n"
	 "  alterctl status --watch          follow migration and clients on a screen of its own\n"
	 "  alterctl status --watch --interval 5 > log   a line every five seconds\n"
	 "  alterctl status --exit-code || alterctl up   for scripts: 0 current, 10 pending, 11 running,\n"
	 "                                   12 paused or throttled by hand, 13 failed or partial\n"
	 "\n"
	 "[X] applied, [>] under way, [ ] pending and how it would be done, [?] its file is gone, [!]\n"
	 "something is wrong with it; \"alterctl list\" has them all. On the screen q quits, p pauses the\n"
	 "migration and r resumes it, both after a question; it goes on through a restart of the daemon.\n"
	 "A job that waits for cutover counts as running.\n"},
	{"query", cmd_query, 1, -1, FLAG_TEXT, "[--text] [--null WORD] SQL [ARG...]",
	 "run one statement, print its rows",
	 "  alterctl query 'SELECT id, name FROM user WHERE age > ?' 30\n"
	 "  alterctl query --text 'SELECT * FROM user WHERE phone = ?' 0049301234\n"
	 "  echo 'SELECT 1' | alterctl query -\n"
	 "  alterctl --json query 'SELECT * FROM user' | jq -c '.rows[]'\n"
	 "\n"
	 "Each ARG is the value of a ?. A number as one writes it (7, -12, 0.5, 1e6) is bound as\n"
	 "INTEGER or REAL, anything else (007, +1, 1_000) as TEXT; --text binds all as TEXT, and\n"
	 "--null WORD binds an ARG that is WORD as NULL. SQL - reads the statement from stdin.\n"
	 "With --json each page of rows is one line, as the daemon sent it.\n"},
	{"exec", cmd_exec, 1, -1, FLAG_TEXT, "[--text] [--null WORD] SQL [ARG...]", "run one statement for its effect",
	 "  alterctl exec 'UPDATE user SET name = ? WHERE id = ?' Ada 7\n"
	 "  alterctl exec --null - 'INSERT INTO user(name, age) VALUES (?, ?)' Bo -\n"
	 "\n"
	 "Values are bound as with query.\n"},
	{"schema", cmd_schema, 0, 1, 0, "[TABLE]", "the CREATE statements of the database, or of one table",
	 "  alterctl schema\n"
	 "  alterctl schema expenses\n"
	 "  alterctl schema > schema.sql\n"},
	{"shell", cmd_shell, 0, -1, FLAG_FORCE | FLAG_MODE | FLAG_READONLY,
	 "[--mode MODE] [--readonly] [SQL... | -f FILE]", "statements one after the other, by hand or from a script",
	 "  alterctl shell                   type SQL and dot commands; .help lists these\n"
	 "  alterctl shell 'SELECT 1; SELECT 2'\n"
	 "  alterctl shell --mode csv 'SELECT * FROM user' > user.csv\n"
	 "  alterctl shell -f load.sql       stops at the first error, with its line\n"
	 "  echo '.dump' | alterctl shell > all.sql\n"
	 "\n"
	 "The dot commands and output modes are those of sqlite3's shell, with some of psql's (\\d, \\x).\n"
	 "On a terminal rows are shown as a table, else as sqlite3's list; --mode says another.\n"
	 "--readonly refuses what would write. Ctrl-C cancels a statement; Ctrl-D leaves.\n"},
	{"alter", cmd_alter, 1, 1, FLAG_DETACH | FLAG_FORCE | FLAG_POSTPONE,
	 "[--detach] [--allow-data-loss | -f] [--postpone-cutover] SQL", "change a table online, showing the progress",
	 "  alterctl alter 'ALTER TABLE expenses ALTER COLUMN amount TYPE REAL'\n"
	 "  alterctl alter --detach 'ALTER TABLE user ADD COLUMN city TEXT NOT NULL DEFAULT \"\"'\n"
	 "  alterctl alter --postpone-cutover \"$(cat change.sql)\" && alterctl cutover\n"
	 "\n"
	 "Clients go on reading and writing meanwhile. Ctrl-C detaches: the daemon goes on with the\n"
	 "change, which status, pause, resume and abort steer; a second Ctrl-C ends at once.\n"
	 "--detach does not wait. --allow-data-loss consents to drop what the new schema cannot\n"
	 "hold; without it one is asked, or refused. --postpone-cutover stops before the swap.\n"
	 "SQL - reads the statements from stdin.\n"},
	{"list", cmd_list, 0, 0, FLAG_DIR | FLAG_FORMAT, "[--dir DIR] [--format FORMAT]",
	 "the migrations, applied and pending",
	 "  alterctl list\n"
	 "  alterctl list --dir migrations   compare this folder with the database\n"
	 "  alterctl --json list | jq .pending\n"
	 "\n"
	 "[X] applied, [ ] pending, [?] applied and its file is gone, [!] something is wrong with it.\n" FILES_HELP},
	{"plan", cmd_plan, 0, 1, FLAG_DIR | FLAG_FORMAT | FLAG_TO | FLAG_OUT_OF_ORDER | FLAG_FORCE | FLAG_TRY,
	 "[--try] [--dir DIR] [--format FORMAT] [-f] [--allow-out-of-order] [N | --to VERSION]",
	 "what a run would do, and how; writes nothing",
	 "  alterctl plan\n"
	 "  alterctl plan 1                  the next one only\n"
	 "  alterctl plan --to 12            also back: what is undone\n"
	 "  alterctl plan --try              rehearse it on a copy of the database\n"
	 "\n"
	 "For each version and statement: how it is done, the table and its rows, the space it needs,\n"
	 "how long it holds up writes, and warnings. --try also runs the versions on a copy, beside\n"
	 "everybody's work, tells how that went, and removes it; the exit code is 1 if it failed.\n" FILES_HELP},
	{"up", cmd_up, 0, 1, RUN_FLAGS | FLAG_TO | FLAG_OUT_OF_ORDER | FLAG_DRY_RUN | FLAG_DUMP | FLAG_SCHEMA,
	 "[OPTION...] [N | --to VERSION]", "apply pending migrations, showing the progress",
	 "  alterctl up\n"
	 "  alterctl up 1                    the next one only\n"
	 "  alterctl up --to 14\n"
	 "  alterctl up --dir migrations     files from here, not from the daemon's folder\n"
	 "  alterctl up -n                   the same as plan\n"
	 "  alterctl up --dump schema.sql    write the schema afterwards, as dump does\n"
	 "  alterctl up --schema schema.sql  a fresh database: from the dump, then what is pending\n"
	 "\n"
	 "Clients go on reading and writing meanwhile. A file below the current version is refused\n"
	 "unless --allow-out-of-order is given.\n" RUN_HELP FILES_HELP},
	{"down", cmd_down, 0, 1, RUN_FLAGS | FLAG_TO | FLAG_DRY_RUN, "[OPTION...] [N | --to VERSION]",
	 "take back the last migration, or N",
	 "  alterctl down\n"
	 "  alterctl down 2\n"
	 "  alterctl down --to 12\n"
	 "  alterctl down -n                 what it would do, as plan\n"
	 "  alterctl down -f                 do not ask, and consent to lose data\n"
	 "\n" RUN_HELP FILES_HELP},
	{"to", cmd_to, 1, 1, RUN_FLAGS | FLAG_OUT_OF_ORDER | FLAG_DRY_RUN, "[OPTION...] VERSION",
	 "go to a version, up or down",
	 "  alterctl to 14\n"
	 "  alterctl to 0                    take back everything\n"
	 "  alterctl to -n 12                the same as plan --to 12\n"
	 "\n" RUN_HELP FILES_HELP},
	{"redo", cmd_redo, 0, 0, FLAG_DIR | FLAG_FORMAT | FLAG_FORCE,
	 "[--dir DIR] [--format FORMAT] [--allow-data-loss | -f]", "take back the last migration and apply it again",
	 "  alterctl redo --dir migrations\n"
	 "\n"
	 "For a migration that is being written: down 1, then up 1.\n" FILES_HELP},
	{"new", cmd_new, 1, 1, FLAG_DIR | FLAG_TIMESTAMP, "[--dir DIR] [--timestamp] NAME",
	 "write an empty migration file",
	 "  alterctl new add_city            migrations/0014_add_city.sql\n"
	 "  alterctl new 'add city' --dir db/migrations\n"
	 "  alterctl new --timestamp add_city\n"
	 "  $EDITOR $(alterctl new add_city)\n"
	 "\n"
	 "The number is the next of the folder DIR (migrations), which is made if there is none; with\n"
	 "--timestamp, or where the last one is a time, the time in UTC. Needs no daemon.\n"},
	{"baseline", cmd_baseline, 0, 1, FLAG_DIR | FLAG_FORMAT | FLAG_FROM | FLAG_DRY_RUN | FLAG_USER_VERSION,
	 "[--dir DIR] [--format FORMAT] [--from TOOL] [-n] VERSION | --user-version",
	 "record versions as applied without running them",
	 "  alterctl baseline 12             the database is already as 1 to 12 make it\n"
	 "  alterctl baseline 12 --dry-run   tell only\n"
	 "  alterctl baseline 12 --from goose\n"
	 "  alterctl baseline --user-version the version is what PRAGMA user_version says\n"
	 "\n"
	 "--from names the tool whose history table is taken over: auto, dbmate, goose and so on.\n" FILES_HELP},
	{"repair", cmd_repair, 1, 1, FLAG_DIR | FLAG_FORMAT, "[--dir DIR] [--format FORMAT] VERSION",
	 "accept an applied file that was changed afterwards",
	 "  alterctl list                    shows [!] and changed\n"
	 "  alterctl repair 13\n"
	 "\n"
	 "Nothing is run: the file as it is now counts as the one that was applied.\n" FILES_HELP},
	{"resolve", cmd_resolve, 1, 1, FLAG_DIR | FLAG_FORMAT | FLAG_APPLIED | FLAG_NOT_APPLIED,
	 "[--dir DIR] [--format FORMAT] --applied|--not-applied VERSION",
	 "say what a migration that stopped midway counts as",
	 "  alterctl list                    shows [!] and partial 2/5\n"
	 "  alterctl resolve 13 --applied    the rest was done by hand\n"
	 "  alterctl resolve 13 --not-applied  what it did was undone by hand: up begins anew\n"
	 "\n"
	 "Nothing is run. Where the file is mended, up goes on with the statement that failed, and\n"
	 "there is nothing to resolve.\n" FILES_HELP},
	{"validate", cmd_validate, 0, 1, FLAG_DIR | FLAG_FORMAT, "[--format FORMAT] [DIR]",
	 "try a folder of migrations, without a daemon",
	 "  alterctl validate                the folder migrations\n"
	 "  alterctl validate db/migrate --format flyway\n"
	 "  alterctl --json validate | jq -r '.problems[].message'\n"
	 "\n"
	 "For CI. The files are read whole, and run by a private alterd in a temporary folder: all in\n"
	 "one run, one version at a time, and up, down, up of each version that has a way down.\n"
	 "Schema and rows have to be the same each time. 0: they are; 1: something was found.\n"},
	{"dump", cmd_dump, 0, 0, FLAG_DIR | FLAG_FORMAT | FLAG_CHECK, "[--dir DIR [--format FORMAT]] [--check FILE]",
	 "the schema and its version as SQL",
	 "  alterctl dump > schema.sql\n"
	 "  alterctl dump --check schema.sql                   exit code 1 if it is another\n"
	 "  alterctl dump --dir migrations --check schema.sql  without a daemon\n"
	 "\n"
	 "Tables, indexes, views and triggers, each by name, and the versions that are applied. sqlite3's\n"
	 "shell makes a database at that version of it, as does alterctl up --schema. Rows of tables are\n"
	 "not in it. --dir dumps what the files of DIR make in a fresh database.\n"},
	{"pause", cmd_pause, 0, 1, 0, "[JOB]", "stop the running migration where it stands",
	 "  alterctl pause\n"
	 "\n"
	 "It stays paused, also over a restart, until resume.\n"},
	{"resume", cmd_resume, 0, 1, 0, "[JOB]", "go on with a paused migration", "  alterctl resume\n"},
	{"abort", cmd_abort, 0, 1, FLAG_FORCE, "[-f] [JOB]", "give up the running migration, before its swap",
	 "  alterctl abort\n"
	 "  alterctl abort -f                do not ask\n"
	 "\n"
	 "The table stays as it is; the work done so far is thrown away.\n"},
	{"throttle", cmd_throttle, 1, -1, 0, "KEY=NUMBER...", "change the pace of the running migration",
	 "  alterctl throttle duty-percent=25\n"
	 "  alterctl throttle batch-rows=200 duty-percent=10\n"
	 "\n"
	 "batch-rows: rows a batch at most. duty-percent: share of the writer's time, 1 to 100.\n"},
	{"cutover", cmd_cutover, 0, 1, 0, "[JOB]", "let a postponed swap happen", "  alterctl cutover\n"},
	{"history", cmd_history, 0, 0, 0, "", "migrations that ended, newest last",
	 "  alterctl history\n"
	 "  alterctl --json history | jq '.history[-1]'\n"},
	{"backup", cmd_backup, 0, 2, FLAG_OUTPUT | FLAG_VERIFY | FLAG_FORCE,
	 "[-o FILE [-f]] [--verify] [NAME] | list | fetch NAME [-o FILE] | delete NAME",
	 "copy the database while it is in use; list, fetch, delete such copies",
	 "  alterctl backup                  named by the time, in the daemon's folder of backups\n"
	 "  alterctl backup pre-15.db        by that name\n"
	 "  alterctl backup -o app.db.bak    fetched into a file of yours, here\n"
	 "  alterctl backup list\n"
	 "  alterctl backup fetch pre-15.db -o app.db.bak\n"
	 "  alterctl backup delete pre-15.db\n"
	 "\n"
	 "The copy is the database as it is at one moment after the command was given; nobody waits for\n"
	 "it. Each is checked for broken pages; --verify looks at all rows and indexes as well. With -o\n"
	 "and without a NAME the daemon keeps no copy. -f writes over FILE.\n"},
	{"restore", cmd_restore, 2, 2, 0, "BACKUP DATABASE",
	 "put a backup in a database's place; its daemon is stopped",
	 "  systemctl stop alterd\n"
	 "  alterctl restore /var/lib/alterd/backups/pre-15.db /var/lib/alterd/app.db\n"
	 "  systemctl start alterd\n"
	 "\n"
	 "Both are files. The backup is copied and checked first; what was there is kept under a dated\n"
	 "name. Refused (75) while a daemon owns the database. Runs alterd --restore.\n"},
	{"check", cmd_check, 0, 1, FLAG_QUICK | FLAG_WHOLE, "[--quick | --whole] [TABLE]",
	 "look the database through while it is in use",
	 "  alterctl check                   pages, rows, indexes, foreign keys\n"
	 "  alterctl check --quick           pages and rows\n"
	 "  alterctl check expenses          one table\n"
	 "  alterctl --json check | jq -c '.findings[]'\n"
	 "\n"
	 "What is wrong is told with its table and rowid, and the exit code is 1 then; 75: a table could not\n"
	 "be looked at now. A large file is looked at table by table, so that the log need not grow\n"
	 "meanwhile; --whole looks at all of it at one moment, at pages that belong to no table as well.\n"},
	{"analyze", cmd_analyze, 0, 1, 0, "[TABLE]", "give SQLite statistics to choose indexes by",
	 "  alterctl analyze\n"
	 "  alterctl analyze expenses\n"
	 "\n"
	 "From samples, index by index, between the clients' writes. Not beside a migration.\n"},
	{"shrink", cmd_shrink, 0, 0, 0, "", "give free pages of the file back to the disk",
	 "  alterctl shrink\n"
	 "\n"
	 "In a file with auto_vacuum = incremental, in slices between the clients' writes; another one is\n"
	 "told what would have to be done, and how much is free in it. Not beside a migration.\n"},
	{"stats", cmd_stats, 0, 1, FLAG_STATEMENTS, "[--statements [--by WORD] [--limit N]] [reset]",
	 "counters since the daemon started; statistics of statements",
	 "  alterctl stats\n"
	 "  alterctl --json stats | jq .writer_wait_ms.p99\n"
	 "  alterctl stats --statements      what statements have cost, the dearest first\n"
	 "  alterctl stats --by scans        those that go through whole tables\n"
	 "  alterctl stats reset             forget the statistics of statements\n"
	 "\n"
	 "WORD: time, calls, scans, mean, max, rows, sorts, work or errors. Statements are told by their\n"
	 "text without values. Time is that on a lane: without waiting, without the commit.\n"},
	{"advise", cmd_advise, 0, 0, FLAG_STATEMENTS, "[--limit N]",
	 "statements that scan or sort, and the indexes that would help",
	 "  alterctl advise\n"
	 "  alterctl advise --limit 50       more than the 20 that take the longest\n"
	 "  alterctl --json advise | jq -r '.statements[].create[]'\n"
	 "\n"
	 "Goes by the statistics of statements (stats --statements). Each index is tried on a copy of\n"
	 "the schema and of what ANALYZE has found, and told only if SQLite would use it and scans or\n"
	 "sorts less. None is made: alterctl alter 'CREATE INDEX ..' does that. Indexes that another\n"
	 "one makes needless are told too.\n"},
	{"metrics", cmd_metrics, 0, 0, FLAG_OUTPUT, "[-o FILE]", "counters as Prometheus reads them",
	 "  alterctl metrics\n"
	 "  alterctl metrics -o /var/lib/node_exporter/alterd.prom\n"
	 "\n"
	 "FILE is replaced at once, so that a collector of text files never sees half of it. The daemon\n"
	 "answers the same on a socket of its own: server.metrics_socket.\n"},
	{"config", cmd_config, 0, 0, 0, "", "the settings in force, and where each came from",
	 "  alterctl config\n"
	 "  alterctl config | grep -v default\n"
	 "  alterctl --json config | jq -r '.settings[] | select(.waiting) | .name'\n"
	 "\n"
	 "From a file with its line, from the daemon's command line, or the default; and whether reload is\n"
	 "enough to change it.\n"},
	{"reload", cmd_reload, 0, 0, 0, "", "have the daemon read its settings again",
	 "  alterctl reload\n"
	 "\n"
	 "Tells what is in force now, and what waits for a restart. A file with an error in it changes\n"
	 "nothing.\n"},
	{"sessions", cmd_sessions, 0, 0, 0, "", "who is connected, and what each is doing", "  alterctl sessions\n"},
	{"kill", cmd_kill, 1, 1, 0, "SESSION", "end a session",
	 "  alterctl sessions\n"
	 "  alterctl kill s42\n"},
	{"events", cmd_events, 0, -1, FLAG_EVENTS, "[--table TABLE]... [--count N] [TOPIC...]",
	 "what happens, a line each, until Ctrl-C",
	 "  alterctl events                  migration, schema and changes\n"
	 "  alterctl events changes --table user --table account\n"
	 "  alterctl events log session      for administrators\n"
	 "  alterctl --json events changes | jq -r '.data.tables | keys[]'\n"
	 "  alterctl events --count 1 --timeout 60 schema\n"
	 "\n"
	 "migration: what becomes of jobs, and versions; schema: tables made, changed, dropped; changes:\n"
	 "rows inserted (+), updated (~) and deleted (-) by each committed transaction, of the tables\n"
	 "named or of all. Ends after N events; 75 if the time is up before.\n"},
	{"wait", cmd_wait, 0, 0, FLAG_FOR, "[--for ready | idle | version=V]",
	 "wait until the daemon serves, or a migration is done",
	 "  alterctl wait --timeout 30       until it answers; its socket may be yet to come\n"
	 "  alterctl wait --for version=14 && exec app\n"
	 "  alterctl wait --for idle         no migration runs or waits\n"
	 "\n"
	 "75 if the time is up before; without --timeout it waits for ever. A daemon that restarts\n"
	 "meanwhile is waited for. version=V: V or above.\n"},
	{"version", cmd_version, 0, 0, 0, "", "versions of alterctl and of the daemon", "  alterctl version\n"},
	{"help", cmd_help, 0, 1, 0, "[COMMAND]", "this, or what a command does", "  alterctl help alter\n"},
	{0},
};

/* What other tools call them. */
static const char *const aliases[][2] = {{"migrate", "up"}, {"rollback", "down"}, {"goto", "to"}, {"vacuum", "shrink"}};
#define NALIASES (sizeof(aliases) / sizeof(aliases[0]))
_Static_assert(sizeof(commands) / sizeof(commands[0]) - 1 + NALIASES <= COMMAND_NAMES_MAX, "all names have room");

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < NALIASES; i++) {
		if (strcmp(aliases[i][0], name) == 0)
			name = aliases[i][1];
	}
	for (const struct command *k = commands; k->name; k++) {
		if (strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

void command_names(const char *names[COMMAND_NAMES_MAX + 1])
{
	size_t n = 0;

	for (; commands[n].name; n++)
		names[n] = commands[n].name;
	for (size_t i = 0; i < NALIASES; i++)
		names[n++] = aliases[i][0];
	names[n] = NULL;
}
