# MariaDB in the scratch folder, as an unprivileged user: default durability (a sync at each commit), a buffer pool that
# holds the table and a large log. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh
maria_pid="" # the shell that waits for the server

start_mariadb() {
	local tries=0
	[ -z "$maria_pid" ] || return 0
	mkdir "$scratch/maria"
	[ "$(id -u)" != 0 ] || chown postgres "$scratch/maria"
	as_user mariadb-install-db --no-defaults --datadir="$scratch/maria/data" --skip-test-db \
		--auth-root-authentication-method=normal >"$scratch/maria.log" 2>&1 ||
		fail "mariadb-install-db: $(tail -3 "$scratch/maria.log")"
	as_user setsid mariadbd --no-defaults --datadir="$scratch/maria/data" --socket="$scratch/maria/sock" \
		--pid-file="$scratch/maria/pid" --skip-networking --innodb-buffer-pool-size=512M --innodb-log-file-size=1G \
		--tmpdir="$scratch/maria" >"$scratch/maria.log" 2>&1 &
	maria_pid=$!
	until maria_sql -e 'SELECT 1' >/dev/null 2>&1; do
		if ! kill -0 "$maria_pid" 2>/dev/null || [ $((tries += 1)) -gt 600 ]; then
			fail "MariaDB did not start: $(tail -3 "$scratch/maria.log")"
		fi
		sleep 0.1
	done
	maria_sql -e "CREATE DATABASE bench; CREATE USER bench@localhost; GRANT ALL ON *.* TO bench@localhost"
}

maria_sql() { mariadb --no-defaults -u root --socket="$scratch/maria/sock" "$@"; }

# The shell that waits for the server is not the server, whose number is in its file.
stop_mariadb() {
	local server
	[ -n "$maria_pid" ] || return 0
	server=$(cat "$scratch/maria/pid" 2>/dev/null || pgrep -P "$maria_pid") || true
	[ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true
	wait "$maria_pid" 2>/dev/null || true
	maria_pid=""
}
