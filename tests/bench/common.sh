# What quickstart.sh and the bench share: messages, installing packages, building, starting the daemon, and the large
# table. Sourced, not run; sets `daemon` to the process it started.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
fail() {
	printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
	exit 1
}

# install_missing PACKAGE..: with apt-get, as root or by sudo.
install_missing() {
	local package missing=() sudo=()
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]}"
	command -v apt-get >/dev/null || fail "no apt-get here; please install: ${missing[*]}"
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || fail "not root and no sudo; please install: ${missing[*]}"
		sudo=(sudo)
	fi
	"${sudo[@]}" apt-get -q -y update >/dev/null
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}" \
		>/dev/null || fail "apt-get could not install ${missing[*]}"
}

build_packages=(cmake ninja-build gcc libc6-dev pkg-config libsqlite3-dev libuv1-dev libjansson-dev nettle-dev libedit-dev)

# build_programs SOURCE BUILD TYPE TARGET..: quiet unless it fails.
build_programs() {
	local source=$1 build=$2 type=$3 log started=$SECONDS
	shift 3
	log=$(mktemp)
	if ! { { [ -e "$build/build.ninja" ] || cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE="$type"; } &&
		ninja -C "$build" "$@"; } >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		fail "the build failed"
	fi
	rm -f "$log"
	say "built in $((SECONDS - started)) s ($(basename "$build")/bin/alterd, $(basename "$build")/bin/alterctl)"
}

# start_daemon BUILD DATABASE SOCKET LOG: in the background; returns once it answers. In a session of its own, for two
# reasons: Ctrl-C is this script's to handle, and where the kernel shares the processor by sessions (autogroup) PostgreSQL,
# which makes itself one, would otherwise get a second share beside its load generator's and alterd would not.
start_daemon() {
	local build=$1 database=$2 socket=$3 log=$4 tries=0
	setsid "$build/bin/alterd" --database "$database" --socket "$socket" >"$log" 2>&1 &
	daemon=$!
	until "$build/bin/alterctl" --socket "$socket" ping >/dev/null 2>&1; do
		if ! kill -0 "$daemon" 2>/dev/null || [ $((tries += 1)) -gt 300 ]; then
			cat "$log" >&2
			fail "alterd did not start on $database"
		fi
		sleep 0.1
	done
}

# Ends the daemon that start_daemon started, waiting for it; harmless if there is none.
stop_daemon() {
	if [ -n "${daemon:-}" ] && kill -TERM "$daemon" 2>/dev/null; then
		wait "$daemon" 2>/dev/null || true
	fi
	daemon=""
}

# expenses_sql ROWS: the table that quickstart.sh and the bench change, about 160 bytes a row, and its two indexes. The
# values are arithmetic on the row number, so every run has the same table.
expenses_sql() {
	cat <<-SQL
	CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount INT, category TEXT, note TEXT,
	  created_at TEXT);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
	INSERT INTO expenses SELECT i, i * 7919 % 20000, 'payer' || (i * 31 % 500), i * 104729 % 100000,
	  trim(substr('food  rent  travelfun   healthbooks other ', 1 + i % 7 * 6, 6)),
	  printf('expense number %d, entered by hand, checked %d times over', i, i % 9),
	  datetime(1700000000 + i * 7907 % 50000000, 'unixepoch') FROM n;
	CREATE INDEX gc ON expenses(group_id, created_at);
	CREATE INDEX cat ON expenses(category);
	SQL
}

# make_quick_db FILE ROWS: proj.db of Debian's proj-data, and `expenses` beside its tables.
make_quick_db() {
	cp /usr/share/proj/proj.db "$1"
	chmod u+w "$1"
	{
		say 'PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN;'
		expenses_sql "$2"
		say 'COMMIT;'
	} | sqlite3 "$1"
}
