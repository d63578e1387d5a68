# PostgreSQL 15 in the scratch folder, as an unprivileged user: default durability, 512 MB of shared buffers and rare
# checkpoints, so that nothing holds it back that a user would tune. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh
pg=/usr/lib/postgresql/15/bin
pg_running=""

# The servers refuse to run as root.
as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
	else
		"$@"
	fi
}

start_postgres() {
	[ -z "$pg_running" ] || return 0
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
}

stop_postgres() {
	[ -z "$pg_running" ] || as_user "$pg/pg_ctl" -D "$scratch/pg/data" -m immediate stop >/dev/null 2>&1 || true
	pg_running=""
}

pg_sql() { as_user "$pg/psql" -q -v ON_ERROR_STOP=1 "$@"; }
