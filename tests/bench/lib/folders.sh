# Part folders: what a team has in its repository, in the form of six tools, run while clients work. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh

folder_forms=(dbmate goose golang-migrate sqlx diesel sqflite)
folder_rows=300000

# folder_up VERSION: rebuilds as tools generate them and people write them, and what stands between them. The first is
# there already.
folder_up() {
	case $1 in
	1) say "CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount INT, category TEXT, note TEXT,
  created_at TEXT);
CREATE INDEX gc ON expenses(group_id, created_at);
CREATE INDEX cat ON expenses(category);" ;;
	2) say 'PRAGMA foreign_keys=OFF;
CREATE TABLE "new_expenses" (
    "id" INTEGER NOT NULL PRIMARY KEY,
    "group_id" INTEGER,
    "payer" TEXT,
    "amount" REAL DEFAULT 0,
    "category" TEXT NOT NULL DEFAULT '"''"',
    "note" TEXT,
    "created_at" TEXT
);
INSERT INTO "new_expenses" ("id", "group_id", "payer", "amount", "category", "note", "created_at") SELECT "id", "group_id", "payer", "amount", coalesce("category", '"''"') AS "category", "note", "created_at" FROM "expenses";
DROP TABLE "expenses";
ALTER TABLE "new_expenses" RENAME TO "expenses";
CREATE INDEX "gc" ON "expenses"("group_id", "created_at");
CREATE INDEX "cat" ON "expenses"("category");
PRAGMA foreign_key_check;
PRAGMA foreign_keys=ON;' ;;
	3) say "ALTER TABLE expenses RENAME TO _expenses_old;
CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT COLLATE NOCASE, amount REAL DEFAULT 0,
  category TEXT NOT NULL DEFAULT '', note TEXT, created_at TEXT, CHECK (id > 0));
INSERT INTO expenses(id, group_id, payer, amount, category, note, created_at)
  SELECT id, group_id, payer, amount, category, note, created_at FROM _expenses_old;
DROP TABLE _expenses_old;
CREATE INDEX gc ON expenses(group_id, created_at);
CREATE INDEX cat ON expenses(category, payer);" ;;
	4) say "ALTER TABLE expenses ADD COLUMN label TEXT;
UPDATE expenses SET label = upper(category) WHERE category <> '';
CREATE INDEX expenses_label ON expenses(label);" ;;
	5) say "CREATE TABLE receipt(id INTEGER PRIMARY KEY, expense INTEGER REFERENCES expenses(id) ON DELETE CASCADE, path TEXT);
CREATE INDEX receipt_expense ON receipt(expense);" ;;
	6) say 'CREATE TABLE "__new_expenses" (id INTEGER PRIMARY KEY, group_id INT NOT NULL DEFAULT 0, payer TEXT COLLATE NOCASE,
  amount REAL DEFAULT 0, category TEXT NOT NULL DEFAULT '"''"', note TEXT, created_at TEXT, label TEXT);
INSERT INTO "__new_expenses" SELECT * FROM "expenses";
DROP TABLE "expenses";
ALTER TABLE "__new_expenses" RENAME TO "expenses";
CREATE INDEX gc ON expenses(group_id, created_at);
CREATE INDEX expenses_label ON expenses(label);' ;;
	7) say "CREATE TRIGGER expenses_gone AFTER DELETE ON expenses BEGIN
  DELETE FROM receipt WHERE expense = old.id;
END;
CREATE VIEW spent AS SELECT payer, sum(amount) AS amount FROM expenses GROUP BY payer;" ;;
	esac
}

# make_folder FORM FOLDER: the versions as the tool has them.
make_folder() {
	local form=$1 to=$2 v
	rm -rf "$to"
	mkdir -p "$to"
	for v in 1 2 3 4 5 6 7; do
		case $form in
		dbmate) say "-- migrate:up
$(folder_up $v)

-- migrate:down
SELECT 1;" >"$to/2024010${v}000000_step.sql" ;;
		goose) say "-- +goose Up
-- +goose StatementBegin
$(folder_up $v)
-- +goose StatementEnd

-- +goose Down
SELECT 1;" >"$to/0000${v}_step.sql" ;;
		golang-migrate)
			folder_up $v >"$to/00000${v}_step.up.sql"
			say "SELECT 1;" >"$to/00000${v}_step.down.sql"
			;;
		sqlx) folder_up $v >"$to/2024010${v}000000_step.sql" ;;
		diesel)
			mkdir "$to/2024-01-0$v-000000_step"
			folder_up $v >"$to/2024-01-0$v-000000_step/up.sql"
			say "SELECT 1;" >"$to/2024-01-0$v-000000_step/down.sql"
			;;
		sqflite) say "-- UP --
$(folder_up $v)

-- DOWN --
SELECT 1;" >"$to/${v}_step.sql" ;;
		esac
	done
}

# The schema as the sqlite3 shell leaves it; what a rename leaves to children is not in these files.
folder_shell() {
	local v
	for v in 1 2 3 4 5 6 7; do
		folder_up $v
	done | sed 's/PRAGMA foreign_keys=ON;//' | sqlite3 "$scratch/shell.db"
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
	make_folder "$form" "$scratch/folder"
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
