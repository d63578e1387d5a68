#!/usr/bin/env bash
# Texts that belong to one machine, notes to oneself, blanks at line ends, files without a last newline, code lines over
# 120 columns. `text.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2

bad=0
mapfile -d '' -t files < <(find . \( -name .git -o -path './build*' -o -path ./tests/fuzz/corpus -o -path ./tests/lint \
  -o -name __pycache__ \) -prune -o -type f -print0 | LC_ALL=C sort -z)
search() {
  local why=$1 pattern=$2
  shift 2
  while IFS= read -r hit; do
    echo "$hit: $why"
    bad=1
  done < <(grep -nIHP "$pattern" -- "$@" /dev/null | cut -c1-200)
}

search 'a path of one machine' '(?<![\w.])/(work|root|home/\w+)/|/tmp/b-\w' "${files[@]}"
search 'a note to oneself' '\b(TODO|FIXME|XXX|HACK)\b' "${files[@]}"
mapfile -d '' -t written < <(printf '%s\0' "${files[@]}" |
  grep -zE '\.(c|h|py|sh|md|scd|conf|in|service|socket)$|/CMakeLists\.txt$|/run$')
search 'blanks at the end of the line' '[ \t]+$' "${written[@]}"
# One process for all: a thousand of them take longer than everything else here.
while IFS= read -r file; do
  echo "$file: no newline at the end"
  bad=1
done < <(perl -e 'for (@ARGV) { open(my $f, "<", $_) or next; seek($f, -1, 2) or next; read($f, my $c, 1); print "$_\n" if $c ne "\n" }' \
  -- "${written[@]}")
mapfile -d '' -t code < <(printf '%s\0' "${written[@]}" | grep -zE '\.(c|h)$')
# A tab goes to the next column that is a multiple of eight.
[[ ${#code[@]} == 0 ]] || awk '
  {
    columns = 0
    n = split($0, part, "\t")
    for (i = 1; i <= n; i++) columns = i < n ? int((columns + length(part[i])) / 8 + 1) * 8 : columns + length(part[i])
    if (columns > 120) { printf "%s:%d: %d columns, at most 120\n", FILENAME, FNR, columns; long = 1 }
  }
  END { exit long }' "${code[@]}" || bad=1
exit $bad
