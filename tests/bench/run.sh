#!/usr/bin/env bash
# The bench: what alterd does per second against PostgreSQL 15 and against SQLite in process, what a schema change costs
# its clients and how long it takes against the same work offline, and what others' online changes cost theirs. One
# command, one run, one machine; prints medians, spread, ratios, and whether the aims were reached.
#
#   tests/bench/run.sh [--rounds N] [--seconds N] [--rows N] [PART..]
#       parts: select update sqlite change scale statements folders peers (all)
#
# How it is measured. All servers keep their default durability (PostgreSQL: fsync and synchronous_commit on; MariaDB:
# a sync at each commit; alterd: synchronous=FULL), on the same file system, over a Unix socket, with the same rows.
# They take turns, A B A B; each run warms up first, and those that are not measured are idle. Each figure is the median
# of the rounds with the least and the greatest; a wait is timed from the moment the request was due. Not one reply of
# alterd may be an error, and the tables must hold what the acknowledged writes make of them.
#
# select, update: pgbench and load run with one thread and with two; of PostgreSQL the faster counts, and so of alterd.
# change, scale, statements, folders, peers: load, change and table of felt/felt.h and lib/felt.sh.
#
# Installs what is missing (postgresql-15, mariadb-server-core and percona-toolkit among it), builds build-release/,
# needs about 6 GB in /var/tmp ($BENCH_DIR) for the whole, 1.5 GB for any part but scale and peers.
# shellcheck disable=SC2154,SC2034
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/bench
# shellcheck source=tests/bench/common.sh
. "$here/common.sh"
for part in samples postgres mariadb rates felt change folders peers; do
	# shellcheck source=/dev/null
	. "$here/lib/$part.sh"
done
build=${ALTERD_BUILD:-$root/build-release}
bench=$build/bench
rounds=3 seconds=4 rows=1000000
daemon="" scratch=""
sort_mib=64 # what sorting may take beside the daemon's own 64 MiB

clean_up() {
	trap - EXIT INT TERM
	stop_daemon
	stop_mariadb
	stop_postgres
	if [ -n "$scratch" ]; then
		rm -rf "$scratch"
	fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

disk() {
	local sync
	sync=$("$bench/sqlite" sync "$scratch" 500)
	say "disk      $(stat -f -c %T "$scratch"), 4 KiB append + fdatasync: p50 $(value p50_us "$sync") us," \
		"p99 $(value p99_us "$sync") us, longest $(value max_us "$sync") us"
}

facts() {
	say "machine   $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)," \
		"load $(cut -d' ' -f1-3 /proc/loadavg)"
	disk
	say "versions  $("$build/bin/alterd" --version | head -1), SQLite $(sqlite3 --version | cut -d' ' -f1)," \
		"$("$pg/postgres" --version)"
	say "run       $rounds rounds of $seconds s each, $rows rows, median (least .. greatest); parts: ${parts[*]}"
}

parts=()
while [ $# -gt 0 ]; do
	case $1 in
	--rounds | --seconds | --rows)
		[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 needs a number"
		printf -v "${1#--}" %s "$2"
		shift
		;;
	select | update | sqlite | change | scale | statements | folders | peers) parts+=("$1") ;;
	*) sed -n '2,7s/^# \{0,1\}//p' "$0" && exit 64 ;;
	esac
	shift
done
[ $((rows % 100000)) = 0 ] || fail "--rows must be a multiple of 100000 (pgbench's scale)"
[ ${#parts[@]} -gt 0 ] || parts=(select update sqlite change scale statements folders peers)

install_missing "${build_packages[@]}" sqlite3 postgresql-15 util-linux
build_programs "$root" "$build" Release alterd alterctl bench_load bench_sqlite bench_felt_alterd bench_felt_sqlite
scratch=$(mktemp -d "${BENCH_DIR:-/var/tmp}/alterd-bench.XXXXXX")
chmod 755 "$scratch"
cd "$scratch"
facts
for part in "${parts[@]}"; do
	"part_$part"
done
say
disk
say "Aims and ratios (load of the machine at the end: $(cut -d' ' -f1-3 /proc/loadavg))"
printf '%s\n' "${summary[@]}"
