#!/usr/bin/env bash
# Shows alterd's main job on real data, or starts it on a database of yours.
#
#   ./quickstart.sh           installs what is missing, builds, makes a scratch database (proj.db of Debian's proj-data and a
#                             table of a million rows), lets four clients read and write, changes two columns meanwhile,
#                             prints what the clients felt, and cleans up
#   ./quickstart.sh FILE.db   builds if needed, serves FILE.db until Ctrl-C, and prints what to type next
#
# Needs Debian 12 (or its like) and root or sudo if packages are missing. KEEP=1 keeps the scratch folder.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
build=$here/build
scratch=""
daemon=""

# shellcheck source=tests/bench/common.sh
. tests/bench/common.sh

# Ends only what this script started; runs on every way out, Ctrl-C included.
clean_up() {
	trap - EXIT INT TERM
	stop_daemon
	if [ -n "$scratch" ] && [ "${KEEP:-0}" != 1 ]; then
		rm -rf "$scratch"
	fi
}
trap clean_up EXIT
trap 'say; say "stopped"; exit 130' INT TERM

show_main_job() {
	local db
	scratch=$(mktemp -d)
	db=$scratch/quick.db
	say
	say "The database: proj.db of Debian's proj-data (36 tables, 35 triggers, composite foreign keys), and a table"
	say "\"expenses\" of 1,000,000 rows with two indexes."
	make_quick_db "$db" 1000000
	start_daemon "$build" "$db" "$scratch/alterd.sock" "$scratch/alterd.log"
	say "alterd serves $db ($(($(stat -c %s "$db") / 1000000)) MB). Four clients now read and write for 5 seconds,"
	say "then a column changes its type under them; and the same once more with the large table."
	if ! "$build/bench/quick_load" --socket "$scratch/alterd.sock" --alterctl "$build/bin/alterctl" \
		--wal "$db-wal" --change usage.object_code=TEXT --change expenses.amount=REAL; then
		say "alterd's log:" >&2
		tail -n 20 "$scratch/alterd.log" >&2
		fail "something did not go as it should, see above"
	fi
	say
	if [ "${KEEP:-0}" = 1 ]; then
		say "The database is in $scratch (kept because KEEP=1; remove it when you are done)."
	else
		say "The scratch database is removed now. KEEP=1 ./quickstart.sh keeps it."
	fi
	say "Next: ./quickstart.sh YOUR.db serves a database of yours and tells what to type."
}

# The ten-line client of the README, used to look for a table and a column to make examples of.
example_lines() {
	python3 - "$1" <<-'PY'
	import json, shlex, socket, sys
	s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); r = s.makefile("r", encoding="utf-8")
	def call(n, method, **params):
	    s.sendall((json.dumps({"jsonrpc": "2.0", "id": n, "method": method, "params": params}) + "\n").encode())
	    m = json.loads(r.readline())
	    return m.get("result")
	def name(n): return '"' + n.replace('"', '""') + '"' if not n.isidentifier() else n
	tables = call(1, "query", sql="SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
	              " AND name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rootpage LIMIT 1")
	if tables and tables["rows"]:
	    table = tables["rows"][0][0]
	    print(shlex.quote(f"SELECT * FROM {name(table)} LIMIT 5"))
	    print(shlex.quote(f"ALTER TABLE {name(table)} ADD COLUMN added_by_quickstart TEXT"))
	else:
	    print("'SELECT 1'")
	    print("'ALTER TABLE t ADD COLUMN c TEXT'")
	PY
}

serve_own_file() {
	local db socket ctl query alter examples
	[ -e "$1" ] || say "$1 does not exist: alterd creates it."
	db=$(realpath "$1")
	scratch=$(mktemp -d "${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/alterd.XXXXXX")
	socket=$scratch/alterd.sock
	start_daemon "$build" "$db" "$socket" "$scratch/alterd.log"
	ctl="$build/bin/alterctl --socket $socket"
	examples=$(example_lines "$socket") || fail "the daemon did not answer the Python client"
	query=$(sed -n 1p <<<"$examples")
	alter=$(sed -n 2p <<<"$examples")
	cat <<-TEXT

	alterd serves $db
	Of your file it changes two things by itself: it is in WAL mode now, and tables named _alterd_* are added for alterd's
	own books. While alterd runs, open the file with alterd only.

	In another terminal:

	    $ctl status
	    $ctl query $query
	    $ctl schema
	    $ctl alter $alter
	    $ctl --help

	From Python, without any package (paste it as it is):

	import json, socket
	class Alterd:
	    def __init__(self, path):
	        self.s = socket.socket(socket.AF_UNIX); self.s.connect(path); self.n = 0
	        self.r = self.s.makefile("r", encoding="utf-8")
	    def __call__(self, method, **params):
	        self.n += 1
	        call = {"jsonrpc": "2.0", "id": self.n, "method": method, "params": params}
	        self.s.sendall((json.dumps(call) + "\\n").encode())
	        while (m := json.loads(self.r.readline())).get("id") != self.n: pass
	        if "error" in m: raise RuntimeError(m["error"])
	        return m["result"]

	db = Alterd("$socket")
	print(db("query", sql=$query))

	Ctrl-C here stops alterd (or: kill -TERM $daemon): requests that run are finished first.
	TEXT
	wait "$daemon" || fail "alterd ended by itself: $(tail -n 3 "$scratch/alterd.log")"
	daemon=""
}

case ${1:-} in
"")
	install_missing "${build_packages[@]}" sqlite3 proj-data
	build_programs "$here" "$build" RelWithDebInfo alterd alterctl bench_quick_load
	show_main_job
	;;
-*)
	sed -n '2,9s/^# \{0,1\}//p' "$0"
	[ "$1" = --help ] || [ "$1" = -h ] || exit 64
	;;
*)
	install_missing "${build_packages[@]}" python3
	build_programs "$here" "$build" RelWithDebInfo alterd alterctl bench_quick_load
	serve_own_file "$1"
	;;
esac
