"""
Seven versions of one schema, with rebuilds as tools generate them and people write them, in the form of six tools.

    folder_forms.py FORM FOLDER     writes them there
    folder_forms.py shell           tells them for sqlite3's shell
"""
import os
import sys

VERSIONS = {
    1: [
        "CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount INT, category TEXT, note TEXT,\n"
        "  created_at TEXT)",
        "CREATE INDEX gc ON expenses(group_id, created_at)",
        "CREATE INDEX cat ON expenses(category)",
    ],
    # Prisma
    2: [
        "PRAGMA foreign_keys=OFF",
        'CREATE TABLE "new_expenses" (\n    "id" INTEGER NOT NULL PRIMARY KEY,\n    "group_id" INTEGER,\n    "payer" TEXT,\n'
        '    "amount" REAL DEFAULT 0,\n    "category" TEXT NOT NULL DEFAULT \'\',\n    "note" TEXT,\n    "created_at" TEXT\n)',
        'INSERT INTO "new_expenses" ("id", "group_id", "payer", "amount", "category", "note", "created_at") SELECT "id", '
        '"group_id", "payer", "amount", coalesce("category", \'\') AS "category", "note", "created_at" FROM "expenses"',
        'DROP TABLE "expenses"',
        'ALTER TABLE "new_expenses" RENAME TO "expenses"',
        'CREATE INDEX "gc" ON "expenses"("group_id", "created_at")',
        'CREATE INDEX "cat" ON "expenses"("category")',
        "PRAGMA foreign_key_check",
        "PRAGMA foreign_keys=ON",
    ],
    # older tools, and people
    3: [
        "ALTER TABLE expenses RENAME TO _expenses_old",
        "CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT COLLATE NOCASE, amount REAL DEFAULT 0,\n"
        "  category TEXT NOT NULL DEFAULT '', note TEXT, created_at TEXT, CHECK (id > -1000000000))",
        "INSERT INTO expenses(id, group_id, payer, amount, category, note, created_at)\n"
        "  SELECT id, group_id, payer, amount, category, note, created_at FROM _expenses_old",
        "DROP TABLE _expenses_old",
        "CREATE INDEX gc ON expenses(group_id, created_at)",
        "CREATE INDEX cat ON expenses(category, payer)",
    ],
    4: [
        "ALTER TABLE expenses ADD COLUMN label TEXT",
        "UPDATE expenses SET label = upper(category) WHERE category <> ''",
        "CREATE INDEX expenses_label ON expenses(label)",
    ],
    5: [
        "CREATE TABLE receipt(id INTEGER PRIMARY KEY, expense INTEGER REFERENCES expenses(id) ON DELETE CASCADE, path TEXT)",
        "CREATE INDEX receipt_expense ON receipt(expense)",
    ],
    # Drizzle
    6: [
        'CREATE TABLE "__new_expenses" (id INTEGER PRIMARY KEY, group_id INT, payer TEXT COLLATE NOCASE,\n'
        "  amount REAL DEFAULT 0, category TEXT NOT NULL DEFAULT '', note TEXT DEFAULT 'none', created_at TEXT, label TEXT)",
        'INSERT INTO "__new_expenses" SELECT * FROM "expenses"',
        'DROP TABLE "expenses"',
        'ALTER TABLE "__new_expenses" RENAME TO "expenses"',
        "CREATE INDEX gc ON expenses(group_id, created_at)",
        "CREATE INDEX expenses_label ON expenses(label)",
    ],
    7: [
        "CREATE TRIGGER expenses_gone AFTER DELETE ON expenses BEGIN\n"
        "  UPDATE receipt SET path = 'gone ' || old.id WHERE expense = old.id;\nEND",
        "CREATE VIEW spent AS SELECT payer, sum(amount) AS amount FROM expenses GROUP BY payer",
    ],
}
FORMS = ("dbmate", "goose", "golang-migrate", "sqlx", "diesel", "sqflite")
# What a version changes, by which one can tell that it is there.
TELLS = {2: "expenses", 3: "expenses", 4: "expenses", 5: "receipt", 6: "expenses", 7: "spent"}


def text(version):
    return "".join(s + ";\n" for s in VERSIONS[version])


def folder(form, last=7):
    """The files up to a version as migrate.up takes them, with `format`."""
    out = []
    for v in range(1, last + 1):
        up = text(v)
        if form == "dbmate":
            out.append(("2024010%d000000_step.sql" % v, "-- migrate:up\n%s\n-- migrate:down\nSELECT 1;\n" % up))
        elif form == "goose":
            begin, end = "-- +goose StatementBegin\n", "-- +goose StatementEnd\n"
            out.append(("0000%d_step.sql" % v, "-- +goose Up\n%s%s%s\n-- +goose Down\nSELECT 1;\n" % (begin, up, end)))
        elif form == "golang-migrate":
            out += [("00000%d_step.up.sql" % v, up), ("00000%d_step.down.sql" % v, "SELECT 1;\n")]
        elif form == "sqlx":
            out.append(("2024010%d000000_step.sql" % v, up))
        elif form == "diesel":
            name = "2024-01-0%d-000000_step/" % v
            out += [(name + "up.sql", up), (name + "down.sql", "SELECT 1;\n")]
        else:
            out.append(("%d_step.sql" % v, "-- UP --\n%s\n-- DOWN --\nSELECT 1;\n" % up))
    return {"files": [{"name": n, "sql": sql} for n, sql in out], "format": form}


def shell(version):
    """The statements as plain SQLite runs them; a rename leaves to children the name that they have."""
    out = ["PRAGMA legacy_alter_table=ON"]
    out += [s for s in VERSIONS[version] if not s.startswith("PRAGMA")]
    return out + ["PRAGMA legacy_alter_table=OFF"]


def main(form, to=None):
    if form == "shell":
        print("".join(s + ";\n" for v in VERSIONS for s in shell(v)))
        return
    for f in folder(form)["files"]:
        path = os.path.join(to, f["name"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(f["sql"])


if __name__ == "__main__":
    main(*sys.argv[1:])
