# Part peers: the same work by SQLite's own twelve steps, by pt-online-schema-change on MariaDB and by pg_repack on
# PostgreSQL, each under the same load and against its own offline way. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh

peer_packages=(mariadb-server-core mariadb-client percona-toolkit postgresql-15 postgresql-15-repack libmariadb-dev
	libpq-dev)

# build_felt SERVER PKG: the load for a server whose client library the ordinary build does not need.
build_felt() {
	local flags
	flags=$(pkg-config --cflags --libs "$2") || fail "no $2"
	# shellcheck disable=SC2086
	gcc -std=c11 -D_GNU_SOURCE -O2 -I"$root" "$root/tests/bench/felt/$1.c" "$root/tests/bench/felt/felt.c" \
		-o "$scratch/felt_$1" $flags -lpthread || fail "felt_$1 does not build"
}

# felt NAME PROGRAM WHERE COMMAND..: one measured change of a peer under load. Failed requests are told, not fatal.
felt() {
	local name=$1 program=$2 where=$3 line
	shift 3
	line=$("$program" --where "$where" --rows "$rows" --before "$seconds" "${busy[@]}" -- timeout 1800 "$@" \
		2>"$scratch/felt.err") || fail "$name: $line $(tail -n 5 "$scratch/felt.err" "$scratch/change.out" 2>/dev/null)"
	keep_felt "$name" "$line"
	grep -m 1 'a request failed' "$scratch/felt.err" >"$scratch/$name.failed" || true
}

# ---- SQLite --------------------------------------------------------------------------------------------------------

sqlite_round() {
	offline peer.sqlite.offline "$scratch/expenses.db" "$(twelve_steps)"
	fresh "$scratch/expenses.db" "$scratch/twelve.db"
	twelve_steps >"$scratch/twelve.sql"
	felt peer.sqlite "$bench/felt_sqlite" "$scratch/twelve.db" \
		sqlite3 "$scratch/twelve.db" ".read $scratch/twelve.sql"
	rm -f "$scratch"/twelve.db*
}

alterd_round() {
	offline peer.alterd.offline "$scratch/expenses.db" "$(twelve_steps)"
	change_checked peer.alterd "$scratch/expenses.db" "${busy[@]}"
}

# ---- MariaDB -------------------------------------------------------------------------------------------------------

maria_alter="MODIFY amount DOUBLE, ADD COLUMN currency VARCHAR(3) NOT NULL DEFAULT 'eur'"

maria_load() {
	start_mariadb
	maria_sql bench -e "SET sql_log_bin = 0; CREATE TABLE base(id BIGINT PRIMARY KEY, group_id INT, payer VARCHAR(32),
		amount INT, category VARCHAR(16), note VARCHAR(255), created_at VARCHAR(19), KEY gc(group_id, created_at),
		KEY cat(category)) CHARACTER SET utf8mb4;
		LOAD DATA LOCAL INFILE '$scratch/expenses.csv' INTO TABLE base CHARACTER SET utf8mb4
		FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\n'"
}

maria_fresh() {
	maria_sql bench -e "DROP TABLE IF EXISTS expenses; CREATE TABLE expenses LIKE base;
		INSERT INTO expenses SELECT * FROM base; ANALYZE TABLE expenses" >/dev/null
	maria_settle
}

# Dirty pages that the making of the table left are written before anything is measured.
maria_settle() {
	local tries=0
	maria_sql -e "SET GLOBAL innodb_max_dirty_pages_pct = 0"
	while [ "$(maria_sql -N -e "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'" | cut -f2)" -gt 100 ] &&
		[ $((tries += 1)) -lt 300 ]; do
		sleep 0.1
	done
	maria_sql -e "SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT"
	sync -f "$scratch"
}

maria_round() {
	maria_fresh
	timed peer.mariadb.offline maria_sql bench -e "ALTER TABLE expenses $maria_alter, ALGORITHM=COPY"
	maria_fresh
	felt peer.mariadb "$scratch/felt_mariadb" "$scratch/maria/sock" "$scratch/quiet" \
		pt-online-schema-change --execute --alter "$maria_alter" --recursion-method=none --no-version-check \
		"D=bench,t=expenses,u=bench,S=$scratch/maria/sock"
	maria_sql bench -e "SELECT currency FROM expenses WHERE amount > 0.5 LIMIT 1" | grep -q eur ||
		fail "pt-online-schema-change changed nothing: $(tail -3 "$scratch/change.out")"
}

# ---- PostgreSQL ----------------------------------------------------------------------------------------------------

pg_load() {
	start_postgres
	pg_sql -c "CREATE EXTENSION IF NOT EXISTS pg_repack" -c "CREATE TABLE base(id bigint, group_id int, payer text,
		amount int, category text, note text, created_at text)" -c "\\copy base FROM '$scratch/expenses.csv' CSV"
}

pg_fresh() {
	pg_sql -c "SET client_min_messages = warning" -c "DROP TABLE IF EXISTS expenses" \
		-c "CREATE TABLE expenses(LIKE base)" \
		-c "INSERT INTO expenses SELECT * FROM base" -c "ALTER TABLE expenses ADD PRIMARY KEY(id)" \
		-c "CREATE INDEX gc ON expenses(group_id, created_at)" -c "CREATE INDEX cat ON expenses(category)" \
		-c "VACUUM ANALYZE expenses" -c CHECKPOINT
	sync -f "$scratch"
}

pg_round() {
	pg_fresh
	timed peer.postgres.offline pg_sql -c "VACUUM FULL expenses"
	pg_fresh
	felt peer.postgres "$scratch/felt_postgres" "host=$scratch/pg user=bench dbname=postgres" \
		"$scratch/quiet" "$pg/pg_repack" -h "$scratch/pg" -U bench -d postgres -t expenses
}

# ---- The table -----------------------------------------------------------------------------------------------------

range() { stats "$1" | awk '{printf "%.2f .. %.2f", $2, $3}'; }

peer_line() {
	local name=peer.$1
	quotients "$name.ratio" "$name.took_s" "$name.offline"
	printf '  %-46s %8.2f %8.2f %7.2fx %10.1f %8.1fx %8.1fx %7s\n' "$2" "$(median "$name.took_s")" \
		"$(median "$name.offline")" "$(median "$name.ratio")" "$(median "$name.longest_ms")" \
		"$(median "$name.closed_p99_ratio")" "$(median "$name.open_p99_ratio")" "$(greatest "$name.failed")"
	printf '    least .. greatest: %s s, %s s, %s x, %s ms\n' "$(range "$name.took_s")" "$(range "$name.offline")" \
		"$(range "$name.ratio")" "$(range "$name.longest_ms")"
	[ ! -s "$scratch/$name.failed" ] || say "    the first that failed: $(sed "s/.*failed: //" "$scratch/$name.failed")"
}

part_peers() {
	local round
	stop_daemon
	printf '#!/bin/sh\nexec "$@" >%q 2>&1\n' "$scratch/change.out" >"$scratch/quiet"
	chmod +x "$scratch/quiet"
	install_missing "${peer_packages[@]}"
	build_felt mariadb libmariadb
	build_felt postgres libpq
	say
	say "The same work by others, $rows rows. Load on each: $busy_text."
	[ -e "$scratch/expenses.db" ] || make_expenses "$scratch/expenses.db" "$rows"
	sqlite3 -csv "$scratch/expenses.db" "SELECT * FROM expenses" >"$scratch/expenses.csv"
	maria_load
	pg_load
	pg_sql -c CHECKPOINT
	maria_settle
	for ((round = 0; round < rounds; round++)); do
		alterd_round
		sqlite_round
		maria_round
		pg_round
	done
	printf '  %-46s %8s %8s %8s %10s %18s %7s\n' "" "under" "offline" "ratio" "longest" "p99 during/before" "failed"
	printf '  %-46s %8s %8s %8s %10s %9s %8s %7s\n' "" "load s" s "" "wait ms" "closed" "clock" "requests"
	peer_line alterd "alterd (SQLite's twelve steps)"
	peer_line sqlite "SQLite's twelve steps, one transaction"
	peer_line mariadb "pt-online-schema-change (ALGORITHM=COPY)"
	peer_line postgres "pg_repack, no change of type (VACUUM FULL)"
	say "  In brackets: the offline way. alterd alone compares every row of old and new before the swap; its time ends"
	say "  there, and emptying the old table ($(median peer.alterd.retire_s) s) follows. The others' ends with the command."
	stop_mariadb
}
