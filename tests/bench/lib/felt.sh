# A change of `expenses` and what its clients felt: tables, offline SQL, one measured run, and its lines in the report.
# Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh

busy=(--closed 1 --rate 500)
busy_text="1 client in a closed loop and 500 requests a second by the clock, 3 of 10 a durable write"
the_change="ALTER TABLE expenses ALTER amount TYPE REAL, ADD currency TEXT NOT NULL DEFAULT 'eur'"

# make_expenses FILE ROWS [TABLE..]: expenses, and copies of it under other names, each with its two indexes.
make_expenses() {
	local file=$1 count=$2 table
	shift 2
	{
		say 'PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN;'
		expenses_sql "$count"
		for table in "$@"; do
			say "CREATE TABLE $table AS SELECT * FROM expenses;"
			say "CREATE INDEX ${table}_gc ON $table(group_id, created_at); CREATE INDEX ${table}_cat ON $table(category);"
		done
		say 'COMMIT; PRAGMA wal_checkpoint(TRUNCATE);'
	} | sqlite3 "$file" >/dev/null
}

# How a user of SQLite would run it: the daemon's cache, durable, and the checkpoint that SQLite makes at the commit.
offline_pragmas='.bail on
.timeout 600000
PRAGMA synchronous=FULL; PRAGMA cache_size=-16384; PRAGMA foreign_keys=OFF;'

twelve_steps() {
	cat <<-SQL
	$offline_pragmas
	BEGIN IMMEDIATE;
	CREATE TABLE new_expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount REAL, category TEXT, note TEXT,
	  created_at TEXT, currency TEXT NOT NULL DEFAULT 'eur');
	INSERT INTO new_expenses(id, group_id, payer, amount, category, note, created_at)
	  SELECT id, group_id, payer, amount, category, note, created_at FROM expenses;
	DROP TABLE expenses;
	ALTER TABLE new_expenses RENAME TO expenses;
	CREATE INDEX gc ON expenses(group_id, created_at);
	CREATE INDEX cat ON expenses(category);
	COMMIT;
	SQL
}

# timed NAME COMMAND..: the seconds that it takes as a sample of NAME.
timed() {
	local name=$1 from to
	shift
	from=$(date +%s%N)
	"$@" >"$scratch/timed.out" 2>&1 || fail "$1: $(tail -3 "$scratch/timed.out")"
	to=$(date +%s%N)
	keep "$name" "$(awk -v a="$from" -v b="$to" 'BEGIN {printf "%.3f", (b - a) / 1e9}')"
}

# fresh FILE COPY: a copy that is on the disk, and whatever else was written, so that nothing is written late into what
# is measured.
fresh() {
	rm -f "$2" "$2"-*
	cp "$1" "$2"
	sync -f "$2"
}

# offline NAME FILE SQL: seconds that the SQL takes on a copy of FILE, while nobody else works.
offline() {
	fresh "$2" "$scratch/offline.db"
	say "$3" >"$scratch/offline.sql"
	timed "$1" sqlite3 "$scratch/offline.db" ".read $scratch/offline.sql"
	rm -f "$scratch"/offline.db*
}

# keep_felt NAME LINE: the line of felt, and the ratios of its p99.
keep_felt() {
	local kind
	keep_line "$1" "$2"
	for kind in closed open; do
		keep "$1.${kind}_p99_ratio" "$(awk -v a="$(value "${kind}_during_p99_ms" "$2")" \
			-v b="$(value "${kind}_before_p99_ms" "$2")" 'BEGIN {print (b > 0 ? a / b : 0)}')"
	done
}

# online NAME FILE SQL OPTION..: the change by alterd on a copy of FILE, felt with OPTIONs. Returns 1 if it is refused.
online() {
	local name=$1 file=$2 sql=$3 line consent=()
	shift 3
	[[ $sql != DROP* ]] || consent=(-f)
	fresh "$file" "$scratch/change.db"
	start_daemon "$build" "$scratch/change.db" "$scratch/change.sock" "$scratch/change.log"
	if ! line=$("$bench/felt_alterd" --where "$scratch/change.sock" --wal "$scratch/change.db-wal" --pid "$daemon" \
		--before "$seconds" --rows "$rows" "$@" -- timeout 900 "$build/bin/alterctl" --socket "$scratch/change.sock" \
		alter "${consent[@]}" "$sql" 2>"$scratch/change.err"); then
		stop_daemon
		rm -f "$scratch"/change.db*
		! grep -q 'MIGRATION_INVALID\|cannot be done' "$scratch/change.err" || return 1
		tail -n 20 "$scratch/change.log" "$scratch/change.err" >&2
		fail "the change failed: $line"
	fi
	stop_daemon
	[ "$(value failed "$line")" = 0 ] || fail "$(value failed "$line") requests failed: $(tail -3 "$scratch/change.err")"
	keep_felt "$name" "$line"
}

# change_checked NAME FILE OPTION..: the type change, and that the table is what it should be.
change_checked() {
	local wrong
	online "$1" "$2" "$the_change" "${@:3}" || fail "alterd refuses: $(tail -3 "$scratch/change.err")"
	wrong=$(sqlite3 "$scratch/change.db" \
		"SELECT count(*) FROM expenses WHERE typeof(amount) <> 'real' OR currency IS NOT 'eur'")
	[ "$wrong" = 0 ] || fail "$wrong rows of the changed table are wrong"
	rm -f "$scratch"/change.db*
}

# tell_waits NAME: what the clients felt, before and during.
tell_waits() {
	local kind window
	printf '  %-44s %10s %10s %10s %12s\n' "waits in ms, median of the rounds" p50 p99 longest requests
	local -A names=([closed]="closed loop" [open]="by the clock" [idle]="a thread that only sleeps")
	for kind in closed open idle; do
		for window in before during retire; do
			greater "$(median "$1.${kind}_${window}_ops")" 0 || continue
			printf '    %-42s %10s %10s %10s %12s\n' \
				"${names[$kind]}, $window" \
				"$(median "$1.${kind}_${window}_p50_ms")" "$(median "$1.${kind}_${window}_p99_ms")" \
				"$(median "$1.${kind}_${window}_max_ms")" "$(median "$1.${kind}_${window}_ops")"
		done
	done
}
