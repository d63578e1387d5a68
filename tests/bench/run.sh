#!/usr/bin/env bash
# The bench: what alterd does per second against PostgreSQL 15 and against SQLite in process, and what a schema change
# costs its clients. One command, one run, one machine; prints medians, spread and ratios.
#
#   tests/bench/run.sh [--rounds N] [--seconds N] [--rows N] [PART..]     parts: select update sqlite change (all)
#
# How it is measured. Both servers keep their default durability (PostgreSQL: fsync and synchronous_commit on; alterd:
# synchronous=FULL), on the same file system, over a Unix socket, with the same table (pgbench_accounts, 1,000,000 rows
# and the same balances). They take turns, A B A B; each run warms up first, and the one that is not measured is idle.
# pgbench and load run with one thread and with two; of PostgreSQL the faster counts, and so of alterd. PostgreSQL gets
# 512 MB of shared buffers and rare checkpoints, so that nothing holds it back that a user would tune; alterd runs with
# its defaults. Not one reply may be an error, and the sums in the table must be what the acknowledged updates make them.
#
# Installs what is missing (postgresql-15 among it), builds build-release/, needs about 1.5 GB in /var/tmp ($BENCH_DIR).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/bench/common.sh
. "$root/tests/bench/common.sh"
build=${ALTERD_BUILD:-$root/build-release}
bench=$build/bench
pg=/usr/lib/postgresql/15/bin
rounds=3 seconds=4 rows=1000000
daemon="" scratch="" pg_running=""
declare -A samples   # name -> values of all rounds, with blanks between

# ---- Small tools ---------------------------------------------------------------------------------------------------

as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
	else
		"$@"
	fi
}

clean_up() {
	trap - EXIT INT TERM
	stop_daemon
	if [ -n "$pg_running" ]; then
		as_user "$pg/pg_ctl" -D "$scratch/pg/data" -m immediate stop >/dev/null 2>&1 || true
	fi
	if [ -n "$scratch" ]; then
		rm -rf "$scratch"
	fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# value NAME LINE: the value of name=.. in a line of key=value.
value() {
	local word
	for word in $2; do
		case $word in "$1="*) printf '%s' "${word#*=}" && return ;; esac
	done
	fail "no $1 in: $2"
}

keep() { samples[$1]="${samples[$1]:-} $2"; }

# median NAME: "median least greatest" of its samples.
stats() { tr ' ' '\n' <<<"${samples[$1]}" | grep . | sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)], v[1], v[NR]}'; }
median() { stats "$1" | cut -d' ' -f1; }
greater() { awk -v a="$1" -v b="$2" 'BEGIN {exit !(a > b)}'; }

# faster A B: the one of two samples with the greater median.
faster() { if greater "$(median "$1")" "$(median "$2")"; then say "$1"; else say "$2"; fi; }

# show NAME TEXT: one line with median and spread, in operations a second, and the median of the latencies if kept.
show() {
	local m least most latency=""
	read -r m least most < <(stats "$1")
	[ -z "${samples[$1.p99]:-}" ] || latency="  p50 $(median "$1.p50") us  p99 $(median "$1.p99") us  max $(median "$1.max") us"
	printf '  %-44s %9.0f /s  (%.0f .. %.0f)%s\n' "$2" "$m" "$least" "$most" "$latency"
}

# ratio A B TEXT TARGET: the median of the rounds' ratios, with their spread.
ratio() {
	local word
	word=$(awk -v a="${samples[$1]}" -v b="${samples[$2]}" 'BEGIN {n=split(a,x," "); split(b,y," ");
		for (i=1;i<=n;i++) print x[i]/y[i]}' | sort -g |
		awk -v target="${4:-0}" '{v[NR]=$1} END {m=v[int((NR+1)/2)];
			printf "%6.2fx  (%.2f .. %.2f)", m, v[1], v[NR];
			if (target > 0) printf "   aim %.1fx: %s", target, (m >= target ? "reached" : "NOT REACHED")}')
	printf '  %-54s %s\n' "$3" "$word"
	summary+=("$(printf '  %-54s %s' "$3" "$word")")
}
summary=()

# ---- The two servers -----------------------------------------------------------------------------------------------

start_postgres() {
	mkdir "$scratch/pg"
	[ "$(id -u)" != 0 ] || chown postgres "$scratch/pg"
	as_user "$pg/initdb" -D "$scratch/pg/data" -U bench -A trust --locale=C.UTF-8 >/dev/null
	as_user tee -a "$scratch/pg/data/postgresql.conf" >/dev/null <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$scratch/pg'
	shared_buffers = '512MB'
	max_wal_size = '4GB'
	CONF
	pg_running=1
	as_user "$pg/pg_ctl" -D "$scratch/pg/data" -l "$scratch/pg/log" -w start >/dev/null
	export PGHOST=$scratch/pg PGUSER=bench PGDATABASE=postgres
	# The tables of pgbench at the scale that has `rows` accounts, with the balances that load.c expects.
	as_user "$pg/pgbench" -q -i -I dtGvp -s $((rows / 100000)) 2>/dev/null
	as_user "$pg/psql" -q -c "UPDATE pgbench_accounts SET abalance = aid::bigint * 7919 % 100003" \
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
pg_settle() { as_user "$pg/psql" -q -c "VACUUM pgbench_accounts" -c CHECKPOINT; }

make_accounts() {
	sqlite3 "$1" <<-SQL
	PRAGMA journal_mode=WAL;
	CREATE TABLE pgbench_accounts(aid INTEGER PRIMARY KEY, bid INTEGER, abalance INTEGER, filler TEXT);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
	INSERT INTO pgbench_accounts SELECT i, (i - 1) / 100000 + 1, i * 7919 % 100003, printf('%-84s', '') FROM n;
	PRAGMA wal_checkpoint(TRUNCATE);
	SQL
}

# alterd_run NAME MODE THREADS CLIENTS
alterd_run() {
	local line
	line=$("$bench/load" --socket "$scratch/alterd.sock" --mode "$2" --threads "$3" --clients "$4" --rows "$rows" \
		--warm 1 --seconds "$seconds") || fail "load: $line"
	keep "$1" "$(value tps "$line")"
	keep "$1.p50" "$(value p50_us "$line")"
	keep "$1.p99" "$(value p99_us "$line")"
	keep "$1.max" "$(value max_us "$line")"
	acked=$((acked + $(value acked "$line")))
}

sqlite_run() {
	local line
	line=$("$bench/sqlite" "$2" "$scratch/plain.db" "$seconds" "$rows") || fail "sqlite: $line"
	keep "$1" "$(value tps "$line")"
	keep "$1.p50" "$(value p50_us "$line")"
	keep "$1.p99" "$(value p99_us "$line")"
	keep "$1.max" "$(value max_us "$line")"
}

# ---- The parts -----------------------------------------------------------------------------------------------------

facts() {
	local sync
	sync=$("$bench/sqlite" sync "$scratch" 500)
	say "machine   $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)," \
		"load $(cut -d' ' -f1-3 /proc/loadavg)"
	say "disk      $(stat -f -c %T "$scratch"), 4 KiB append + fdatasync: p50 $(value p50_us "$sync") us," \
		"p99 $(value p99_us "$sync") us"
	say "versions  $("$build/bin/alterd" --version | head -1), SQLite $(sqlite3 --version | cut -d' ' -f1)," \
		"$("$pg/postgres" --version)"
	say "run       $rounds rounds of $seconds s each, $rows rows, median (least .. greatest)"
}

# The daemon on the accounts, which another part may have stopped.
serve_accounts() {
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
	show select.1 "alterd, load with 1 thread"
	show select.2 "alterd, load with 2 threads"
	show pg_select.1 "PostgreSQL, pgbench -S -M prepared -j 1"
	show pg_select.2 "PostgreSQL, pgbench -S -M prepared -j 2"
	best_pg=$(faster pg_select.1 pg_select.2)
	best_alterd=$(faster select.1 select.2)
	ratio "$best_alterd" "$best_pg" "SELECT, 8 connections: alterd / PostgreSQL" 1.5
	samples[select]=${samples[$best_alterd]}
}

part_update() {
	local round before acked_before best_pg best_alterd
	serve_accounts
	say
	say "Single-row UPDATE by key, durable"
	acked_before=$acked
	before=$("$build/bin/alterctl" --json --socket "$scratch/alterd.sock" query \
		"SELECT sum(abalance) FROM pgbench_accounts" | grep -o '\[\[[0-9]*' | tr -d '[')
	for ((round = 0; round < rounds; round++)); do
		alterd_run update32.1 update 1 32
		pg_run pg_update.1 1 32 -f "$scratch/pg/update.sql"
		pg_settle
		alterd_run update1 update 1 1
		alterd_run update32.2 update 2 32
		pg_run pg_update.2 2 32 -f "$scratch/pg/update.sql"
		pg_settle
	done
	show update32.1 "alterd, 32 connections, load with 1 thread"
	show update32.2 "alterd, 32 connections, load with 2 threads"
	show update1 "alterd, 1 connection"
	show pg_update.1 "PostgreSQL, 32 connections, pgbench -j 1"
	show pg_update.2 "PostgreSQL, 32 connections, pgbench -j 2"
	best_pg=$(faster pg_update.1 pg_update.2)
	best_alterd=$(faster update32.1 update32.2)
	ratio "$best_alterd" update1 "UPDATE: alterd at 32 connections / at 1" 8
	ratio "$best_alterd" "$best_pg" "UPDATE, 32 connections: alterd / PostgreSQL" 1
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
	say
	say "SQLite by the library, one thread of one process, statement prepared once, WAL, synchronous=FULL"
	make_accounts "$scratch/plain.db" >/dev/null
	for ((round = 0; round < rounds; round++)); do
		sqlite_run plain_select select
		sqlite_run plain_update update
	done
	show plain_select "point SELECT in process"
	show plain_update "single-row UPDATE in process"
	[ -z "${samples[select]:-}" ] || ratio select plain_select "SELECT: alterd, 8 connections / SQLite in process"
	[ -z "${samples[update1]:-}" ] || ratio update1 plain_update "UPDATE: alterd, 1 connection / SQLite in process"
	[ -z "${samples[update32]:-}" ] || ratio update32 plain_update "UPDATE: alterd, 32 connections / SQLite in process"
	rm -f "$scratch"/plain.db*
}

# offline_rebuild FILE: seconds that the same change takes while nobody else works, checkpoint included.
offline_rebuild() {
	local from to
	sqlite3 "$1" "PRAGMA journal_mode=WAL" >/dev/null
	from=$(date +%s%N)
	sqlite3 "$1" >/dev/null <<-SQL
	PRAGMA synchronous=FULL;
	PRAGMA cache_size=-16384;
	BEGIN IMMEDIATE;
	CREATE TABLE new_expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount REAL, category TEXT, note TEXT,
	  created_at TEXT);
	INSERT INTO new_expenses SELECT * FROM expenses;
	DROP TABLE expenses;
	ALTER TABLE new_expenses RENAME TO expenses;
	CREATE INDEX gc ON expenses(group_id, created_at);
	CREATE INDEX cat ON expenses(category);
	COMMIT;
	PRAGMA wal_checkpoint(TRUNCATE);
	SQL
	to=$(date +%s%N)
	awk -v a="$from" -v b="$to" 'BEGIN {printf "%.3f", (b - a) / 1e9}'
}

# change_run NAME RATE: the change on a fresh copy, under 4 clients of RATE requests a second each.
change_run() {
	local line
	cp "$scratch/quick.db" "$scratch/change.db"
	start_daemon "$build" "$scratch/change.db" "$scratch/change.sock" "$scratch/change.log"
	line=$("$bench/quick_load" --socket "$scratch/change.sock" --alterctl "$build/bin/alterctl" --rate "$2" --before 4 \
		--wal "$scratch/change.db-wal" --plain --change expenses.amount=REAL 2>"$scratch/change.err") || {
		cat "$scratch/change.err" >&2
		fail "the change failed: $line"
	}
	stop_daemon
	rm -f "$scratch"/change.db*
	for key in took_s retire_s swap_ms hold_ms wal_peak_bytes before_p50_ms before_p99_ms before_max_ms during_p50_ms \
		during_p99_ms during_max_ms failed during_ops; do
		keep "$1.$key" "$(value "$key" "$line")"
	done
}

change_table() {
	local name=$1
	printf '  %-44s %s s  (emptying the old table afterwards: %s s)\n' "change, start to swap" \
		"$(median "$name.took_s")" "$(median "$name.retire_s")"
	printf '  %-44s p50 %s  p99 %s  max %s ms\n' "clients before" "$(median "$name.before_p50_ms")" \
		"$(median "$name.before_p99_ms")" "$(median "$name.before_max_ms")"
	printf '  %-44s p50 %s  p99 %s  max %s ms  (%s requests, %s failed)\n' "clients during" \
		"$(median "$name.during_p50_ms")" "$(median "$name.during_p99_ms")" "$(median "$name.during_max_ms")" \
		"$(median "$name.during_ops")" "$(median "$name.failed")"
	printf '  %-44s %s ms, the swap %s ms\n' "writer held at once, at most" "$(median "$name.hold_ms")" \
		"$(median "$name.swap_ms")"
	printf '  %-44s %.1f MB\n' "WAL peak" "$(awk -v b="$(median "$name.wal_peak_bytes")" 'BEGIN {print b / 1e6}')"
}

part_change() {
	local round
	stop_daemon
	say
	say "Online change: expenses.amount INT -> REAL, $rows rows, two indexes, verified before the swap"
	make_quick_db "$scratch/quick.db" "$rows"
	for ((round = 0; round < rounds; round++)); do
		cp "$scratch/quick.db" "$scratch/offline.db"
		keep offline.took_s "$(offline_rebuild "$scratch/offline.db")"
		rm -f "$scratch"/offline.db*
		change_run quiet 1
		change_run busy 250
	done
	say "offline rebuild, nobody else at work: $(median offline.took_s) s"
	say "with 4 requests a second:"
	change_table quiet
	say "with 1000 requests a second (4 clients, one in five a write):"
	change_table busy
	ratio quiet.took_s offline.took_s "change time: online / offline, few clients (less is better)"
	ratio busy.took_s offline.took_s "change time: online / offline, 1000 requests/s"
	rm -f "$scratch"/quick.db*
}

# ---- The run -------------------------------------------------------------------------------------------------------

parts=()
while [ $# -gt 0 ]; do
	case $1 in
	--rounds | --seconds | --rows)
		[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 needs a number"
		printf -v "${1#--}" %s "$2"
		shift
		;;
	select | update | sqlite | change) parts+=("$1") ;;
	*) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 64 ;;
	esac
	shift
done
[ $((rows % 100000)) = 0 ] || fail "--rows must be a multiple of 100000 (pgbench's scale)"
[ ${#parts[@]} -gt 0 ] || parts=(select update sqlite change)

install_missing "${build_packages[@]}" sqlite3 proj-data postgresql-15 util-linux
build_programs "$root" "$build" Release alterd alterctl bench_load bench_sqlite bench_quick_load
scratch=$(mktemp -d "${BENCH_DIR:-/var/tmp}/alterd-bench.XXXXXX")
chmod 755 "$scratch"
cd "$scratch"
acked=0
facts
if [[ " ${parts[*]} " =~ \ (select|update)\  ]]; then
	start_postgres
	make_accounts "$scratch/alterd.db" >/dev/null
fi
for part in "${parts[@]}"; do
	"part_$part"
done
say
say "Ratios (load of the machine at the end: $(cut -d' ' -f1-3 /proc/loadavg))"
printf '%s\n' "${summary[@]}"
