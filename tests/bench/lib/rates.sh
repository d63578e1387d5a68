# Parts select, update and sqlite: what alterd does per second, beside PostgreSQL and SQLite in process. Sourced by
# run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh
acked=0

# The tables of pgbench at the scale that has `rows` accounts, with the balances that load.c expects.
pg_accounts() {
	start_postgres
	as_user "$pg/pgbench" -q -i -I dtGvp -s $((rows / 100000)) 2>/dev/null
	pg_sql -c "UPDATE pgbench_accounts SET abalance = aid::bigint * 7919 % 100003" \
		-c "VACUUM FULL ANALYZE pgbench_accounts" -c CHECKPOINT
	printf '%s\n' "\\set aid random(1, $rows)" \
		'UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;' >"$scratch/pg/update.sql"
}

# pg_run NAME THREADS CLIENTS OPTION..: one warm-up and one measured run.
pg_run() {
	local name=$1 threads=$2 clients=$3 out tps
	shift 3
	as_user "$pg/pgbench" -n "$@" -M prepared -c "$clients" -j "$threads" -T 1 >/dev/null 2>&1
	out=$(as_user "$pg/pgbench" -n "$@" -M prepared -c "$clients" -j "$threads" -T "$seconds" 2>&1) || fail "pgbench: $out"
	grep -q 'failed transactions: 0 ' <<<"$out" || fail "pgbench had failures: $out"
	tps=$(awk '/^tps/ {print $3}' <<<"$out")
	keep "$name" "$tps"
}

# What an update run leaves to do (dead rows, dirty pages) is done before the other side is measured.
pg_settle() { pg_sql -c "VACUUM pgbench_accounts" -c CHECKPOINT; }

make_accounts() {
	sqlite3 "$1" <<-SQL
	PRAGMA journal_mode=WAL;
	CREATE TABLE pgbench_accounts(aid INTEGER PRIMARY KEY, bid INTEGER, abalance INTEGER, filler TEXT);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
	INSERT INTO pgbench_accounts SELECT i, (i - 1) / 100000 + 1, i * 7919 % 100003, printf('%-84s', '') FROM n;
	PRAGMA wal_checkpoint(TRUNCATE);
	SQL
}

# keep_rate NAME LINE: what load and sqlite print.
keep_rate() {
	keep "$1" "$(value tps "$2")"
	keep "$1.p50" "$(value p50_us "$2")"
	keep "$1.p99" "$(value p99_us "$2")"
	keep "$1.max" "$(value max_us "$2")"
}

# alterd_run NAME MODE THREADS CLIENTS
alterd_run() {
	local line
	line=$("$bench/load" --socket "$scratch/alterd.sock" --mode "$2" --threads "$3" --clients "$4" --rows "$rows" \
		--warm 1 --seconds "$seconds") || fail "load: $line"
	keep_rate "$1" "$line"
	acked=$((acked + $(value acked "$line")))
}

sqlite_run() {
	local line
	line=$("$bench/sqlite" "$2" "$scratch/plain.db" "$seconds" "$rows") || fail "sqlite: $line"
	keep_rate "$1" "$line"
}

# The daemon on the accounts, which another part may have stopped.
serve_accounts() {
	[ -e "$scratch/alterd.db" ] || make_accounts "$scratch/alterd.db" >/dev/null
	[ -e "$scratch/pg/update.sql" ] || pg_accounts
	[ -n "$daemon" ] || start_daemon "$build" "$scratch/alterd.db" "$scratch/alterd.sock" "$scratch/alterd.log"
}

part_select() {
	local round best_pg best_alterd
	serve_accounts
	say
	say "Point SELECT by key, 8 connections, closed loop"
	for ((round = 0; round < rounds; round++)); do
		alterd_run select.1 select 1 8
		pg_run pg_select.1 1 8 -S
		alterd_run select.2 select 2 8
		pg_run pg_select.2 2 8 -S
	done
	rate select.1 "alterd, load with 1 thread"
	rate select.2 "alterd, load with 2 threads"
	rate pg_select.1 "PostgreSQL, pgbench -S -M prepared -j 1"
	rate pg_select.2 "PostgreSQL, pgbench -S -M prepared -j 2"
	best_pg=$(faster pg_select.1 pg_select.2)
	best_alterd=$(faster select.1 select.2)
	ratio select.1 pg_select.1 "SELECT, 8 connections, one thread of load each: alterd / PostgreSQL" '>=' 1.5
	ratio "$best_alterd" "$best_pg" "SELECT, 8 connections, each side's faster load: alterd / PostgreSQL" '>=' 1.5
	samples[select]=${samples[$best_alterd]}
}

update_sum() {
	"$build/bin/alterctl" --json --socket "$scratch/alterd.sock" query "SELECT sum(abalance) FROM pgbench_accounts" |
		grep -o '\[\[[0-9]*' | tr -d '['
}

part_update() {
	local round before acked_before best_pg best_alterd
	serve_accounts
	say
	say "Single-row UPDATE by key, durable"
	acked_before=$acked
	before=$(update_sum)
	for ((round = 0; round < rounds; round++)); do
		alterd_run update32.1 update 1 32
		pg_run pg_update.1 1 32 -f "$scratch/pg/update.sql"
		pg_settle
		alterd_run update1 update 1 1
		alterd_run update32.2 update 2 32
		pg_run pg_update.2 2 32 -f "$scratch/pg/update.sql"
		pg_settle
	done
	rate update32.1 "alterd, 32 connections, load with 1 thread"
	rate update32.2 "alterd, 32 connections, load with 2 threads"
	rate update1 "alterd, 1 connection"
	rate pg_update.1 "PostgreSQL, 32 connections, pgbench -j 1"
	rate pg_update.2 "PostgreSQL, 32 connections, pgbench -j 2"
	best_pg=$(faster pg_update.1 pg_update.2)
	best_alterd=$(faster update32.1 update32.2)
	ratio "$best_alterd" update1 "UPDATE: alterd at 32 connections / at 1" '>=' 8
	ratio "$best_alterd" "$best_pg" "UPDATE, 32 connections: alterd / PostgreSQL" '>=' 1
	samples[update32]=${samples[$best_alterd]}
	stop_daemon
	if [ "$(sqlite3 "$scratch/alterd.db" "SELECT sum(abalance) FROM pgbench_accounts")" != \
		$((before + acked - acked_before)) ]; then
		fail "the table does not hold what the $((acked - acked_before)) acknowledged updates make of it"
	fi
	say "  the sum of all balances is what the $((acked - acked_before)) acknowledged updates make it"
}

part_sqlite() {
	local round
	stop_daemon
	say
	say "SQLite by the library, one thread of one process, statement prepared once, WAL, synchronous=FULL"
	make_accounts "$scratch/plain.db" >/dev/null
	for ((round = 0; round < rounds; round++)); do
		sqlite_run plain_select select
		sqlite_run plain_update update
	done
	rate plain_select "point SELECT in process"
	rate plain_update "single-row UPDATE in process"
	! has select || ratio select plain_select "SELECT: alterd, 8 connections / SQLite in process"
	! has update1 || ratio update1 plain_update "UPDATE: alterd, 1 connection / SQLite in process"
	! has update32 || ratio update32 plain_update "UPDATE: alterd, 32 connections / SQLite in process"
	rm -f "$scratch"/plain.db*
}
