#!/usr/bin/env bash
# A function has at most 60 lines unless it is one flat switch (and says so: a line `/* flat switch */` in it), a file of
# the product at most 450. `length.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2

bad=0
while IFS= read -r file; do
  awk -v file="$file" '
    /^\{/ { begin = NR; flat = 0 }
    begin && /\/\* flat switch \*\// { flat = 1 }
    /^\}/ {
      if (begin && NR - begin - 1 > 60 && !flat) {
        printf "%s:%d: %s: %d lines, at most 60\n", file, begin, name, NR - begin - 1
        long = 1
      }
      begin = 0
    }
    /^[a-zA-Z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
    END {
      if (NR > 450) { printf "%s: %d lines, at most 450\n", file, NR; long = 1 }
      exit long
    }' "$file" || bad=1
done < <(for f in proto config daemon client; do [[ -d $f ]] && find "$f" -name '*.[ch]'; done | LC_ALL=C sort)
exit $bad
