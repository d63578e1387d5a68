# Part folders: what a team has in its repository, in the form of six tools (tests/lib/folder_forms.py), run while clients
# work. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh

folder_forms=(dbmate goose golang-migrate sqlx diesel sqflite)
folder_rows=300000

folder_versions=$root/tests/lib/folder_forms.py

# The schema as the sqlite3 shell leaves it.
folder_shell() {
	python3 "$folder_versions" shell | sqlite3 "$scratch/shell.db"
	folder_schema "$scratch/shell.db"
	rm -f "$scratch"/shell.db*
}

folder_schema() {
	sqlite3 "$1" "SELECT type, name, tbl_name, sql FROM sqlite_schema
		WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE '%alterd%' ORDER BY name"
}

# folder_run FORM: versions 2 to 7 while clients work; the first is what the database has.
folder_run() {
	local form=$1 first socket=$scratch/change.sock line
	rm -rf "$scratch/folder"
	mkdir -p "$scratch/folder"
	python3 "$folder_versions" "$form" "$scratch/folder" || fail "$form: its folder cannot be written"
	first=$(cd "$scratch/folder" && printf '%s\n' * | sort | sed -n '1s/^\([0-9-]*\).*/\1/p' | tr -d -)
	fresh "$scratch/folders.db" "$scratch/change.db"
	start_daemon "$build" "$scratch/change.db" "$socket" "$scratch/change.log"
	"$build/bin/alterctl" --socket "$socket" baseline "$((10#$first))" --dir "$scratch/folder" --format "$form" \
		>"$scratch/change.err" 2>&1 || fail "$form: $(tail -3 "$scratch/change.err")"
	line=$("$bench/felt_alterd" --where "$socket" --wal "$scratch/change.db-wal" --pid "$daemon" --before "$seconds" \
		--rows "$folder_rows" "${busy[@]}" -- timeout 900 "$build/bin/alterctl" --socket "$socket" up \
		--dir "$scratch/folder" --format "$form" 2>"$scratch/change.err") ||
		fail "$form: $(tail -3 "$scratch/change.err") $line"
	stop_daemon
	[ "$(value failed "$line")" = 0 ] || fail "$form: $(value failed "$line") requests failed"
	[ "$(folder_schema "$scratch/change.db")" = "$folder_wanted" ] || fail "$form: another schema than the shell's"
	keep_felt "folders.$form" "$line"
	keep_felt folders "$line"
	rm -f "$scratch"/change.db*
}

part_folders() {
	local round form
	stop_daemon
	say
	say "Folders of ${folder_forms[*]}: six versions, three rebuilds among them, over $folder_rows rows. Load: $busy_text."
	make_expenses "$scratch/folders.db" "$folder_rows"
	folder_wanted=$(folder_shell)
	for ((round = 0; round < rounds; round++)); do
		for form in "${folder_forms[@]}"; do
			folder_run "$form"
		done
	done
	for form in "${folder_forms[@]}"; do
		figure "folders.$form.longest_ms" "$form: longest wait of a client" ms
	done
	tell_waits folders
	tell_holds folders "folders under load"
	never_above folders.longest_ms "longest wait of a client in any run" ms 50
	rm -f "$scratch"/folders.db*
}
