# Parts change, scale and statements: alterd's online changes against the same work offline. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh

# tell_holds NAME WHAT: how long a piece of background work had the writer, and how long the disk had it: a client waits
# for a sync as for a hold, but what the disk takes is not alterd's. The run's, with what was before the change.
tell_holds() {
	figure "$1.hold_p50_ms" "$2: writer held at once, p50" ms
	figure "$1.hold_p99_ms" "$2: writer held at once, p99" ms '<=' 5
	figure "$1.hold_max_ms" "$2: writer held at once, longest" ms
	figure "$1.sync_p99_ms" "$2: a sync of the disk, p99" ms
	figure "$1.sync_max_ms" "$2: a sync of the disk, longest" ms
}

# The figures that one run under load has, with their aims.
tell_load() {
	figure "$1.longest_before_ms" "longest wait of a client before the change" ms
	figure "$1.longest_ms" "longest wait of a client, retiring included" ms '<=' 15
	never_above "$1.longest_ms" "longest wait of a client in any round" ms 50
	figure "$1.closed_p99_ratio" "p99 during / before, closed loop" x '<=' 2
	figure "$1.open_p99_ratio" "p99 during / before, by the clock" x '<=' 2
	tell_holds "$1" "change under load"
	figure "$1.swap_ms" "the swap" ms '<=' 5
}

# The WAL's cap as the daemon has it, and 16 MB; 64 MiB and what sorting may take.
tell_space() {
	local cap
	cap=$(sed -n 's/^wal_cap = \([0-9]*\)MiB$/\1/p' "$root/config/alterd.conf")
	figure "$1.wal_peak_bytes" "WAL peak, $2 (cap $cap MiB)" MB '<=' "$(awk "BEGIN {print $cap * 1.048576 + 16}")" 1e-6
	figure "$1.rss_peak_kb" "resident memory, peak, $2" MiB '<=' "$((64 + sort_mib))" 9.765625e-4
}

part_change() {
	local round file=$scratch/expenses.db
	stop_daemon
	say
	say "Online change of expenses, $rows rows, two indexes: amount INT -> REAL and a new NOT NULL column, verified before"
	say "the swap. Offline: SQLite's twelve steps in one transaction. Load: $busy_text."
	[ -e "$file" ] || make_expenses "$file" "$rows"
	for ((round = 0; round < rounds; round++)); do
		offline offline.quiet "$file" "$(twelve_steps)"
		change_checked quiet "$file"
		offline offline.busy "$file" "$(twelve_steps)"
		change_checked busy "$file" "${busy[@]}"
	done
	figure offline.quiet "offline" s
	figure quiet.took_s "online, nobody else at work, start to swap" s
	figure quiet.retire_s "  and emptying the old table" s
	figure busy.took_s "online, under load, start to swap" s
	figure busy.retire_s "  and emptying the old table" s
	ratio quiet.took_s offline.quiet "change time online / offline, nobody else at work" '<=' 0.9
	ratio busy.took_s offline.busy "change time online / offline, under load" '<=' 1.5
	tell_waits busy
	tell_load busy
	figure quiet.hold_p99_ms "writer held at once, p99, nobody else at work" ms
	figure quiet.swap_ms "the swap, nobody else at work" ms '<=' 5
	tell_space quiet "nobody else at work"
	tell_space busy "under load"
}

# scale_run SIZE ROWS: one change without and one with load, and the time of a row in each.
scale_run() {
	local load
	change_checked "$1.quiet" "$scratch/$1.db" --rows "$2"
	change_checked "$1.busy" "$scratch/$1.db" "${busy[@]}" --rows "$2"
	for load in quiet busy; do
		keep "$1.$load.row_us" "$(awk -v s="${samples[$1.$load.took_s]##* }" -v n="$2" 'BEGIN {print s / n * 1e6}')"
	done
}

# A table of a quarter of the rows and one of four times as many: what a row costs must not grow with the table.
part_scale() {
	local round load
	stop_daemon
	say
	say "The same change at $((rows / 4)) rows and at $((rows * 4))"
	make_expenses "$scratch/small.db" $((rows / 4))
	make_expenses "$scratch/large.db" $((rows * 4))
	for ((round = 0; round < rounds; round++)); do
		scale_run small $((rows / 4))
		scale_run large $((rows * 4))
	done
	for load in quiet busy; do
		figure "small.$load.row_us" "time of a row at $((rows / 4)) rows, $load" us
		figure "large.$load.row_us" "time of a row at $((rows * 4)) rows, $load" us
		ratio "large.$load.row_us" "small.$load.row_us" "time of a row, $((rows * 4)) rows / $((rows / 4)), $load" '<=' 1.3
		figure "small.$load.hold_max_ms" "longest hold of the writer at $((rows / 4)) rows, $load" ms
		figure "large.$load.hold_max_ms" "longest hold of the writer at $((rows * 4)) rows, $load" ms
	done
	tell_waits large.busy
	figure large.busy.longest_ms "longest wait of a client at $((rows * 4)) rows" ms '<=' 15
	figure large.busy.swap_ms "the swap at $((rows * 4)) rows" ms '<=' 5
	tell_space large.busy "at $((rows * 4)) rows under load"
	rm -f "$scratch"/small.db* "$scratch"/large.db*
}

# statement_run NAME SQL CHECK OPTION..: a migration's statement by alterd, and a query that must answer 1 afterwards.
# Returns 1 and says so where alterd cannot do it yet.
statement_run() {
	local name=$1 sql=$2 check=$3
	shift 3
	if ! online "$name" "$scratch/two.db" "$sql" "$@"; then
		say "  not available in this alterd: $sql"
		return 1
	fi
	[ "$(sqlite3 "$scratch/change.db" "$check")" = 1 ] || fail "after $sql it does not hold that $check"
	rm -f "$scratch"/change.db*
}

new_index="CREATE INDEX payer_amount ON expenses(payer, amount)"
index_whole="SELECT (SELECT count(*) FROM expenses INDEXED BY payer_amount WHERE payer > '') =
  (SELECT count(*) FROM expenses NOT INDEXED)"
nothing_left="SELECT count(*) = 0 FROM sqlite_schema WHERE name LIKE '%ballast%' OR tbl_name LIKE '%ballast%'"

part_index() {
	local round
	say "$new_index"
	for ((round = 0; round < rounds; round++)); do
		statement_run index.quiet "$new_index" "$index_whole" || return 0
		offline index.offline "$scratch/two.db" "$offline_pragmas $new_index;"
		statement_run index.busy "$new_index" "$index_whole" "${busy[@]}"
	done
	figure index.offline "offline" s
	figure index.quiet.took_s "online, nobody else at work" s
	figure index.busy.took_s "online, under load" s
	ratio index.quiet.took_s index.offline "CREATE INDEX online / offline, nobody else at work" '<=' 1.5
	ratio index.busy.took_s index.offline "CREATE INDEX online / offline, under load"
	tell_waits index.busy
	tell_holds index.busy "CREATE INDEX under load"
	figure index.busy.longest_ms "CREATE INDEX: longest wait of a client" ms '<=' 15
}

part_drop() {
	local round
	say "DROP TABLE of $rows rows and two indexes, while the clients work on another table"
	for ((round = 0; round < rounds; round++)); do
		statement_run drop.busy "DROP TABLE ballast" "$nothing_left" "${busy[@]}" || return 0
		offline drop.offline "$scratch/two.db" "$offline_pragmas DROP TABLE ballast;"
	done
	figure drop.offline "offline, nobody else at work" s
	figure drop.busy.took_s "online, under load, until it is gone for clients" s
	figure drop.busy.retire_s "online, under load, emptying it" s
	tell_waits drop.busy
	tell_holds drop.busy "DROP TABLE under load"
	figure drop.busy.longest_ms "DROP TABLE: longest wait of a client" ms '<=' 15
}

# Statements of migrations other than ALTER TABLE.
part_statements() {
	stop_daemon
	say
	say "Statements of migrations on $rows rows"
	make_expenses "$scratch/two.db" "$rows" ballast
	part_index
	part_drop
	rm -f "$scratch"/two.db*
}
