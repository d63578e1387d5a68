#!/usr/bin/env bash
# Functions that have a better one: unbounded writes, numbers without errors, hidden state, assertions that vanish in
# a release, and waiting by the clock in a test. `banned.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2

# All files as "file:line:text", without string literals and comments of one line: the names may be talked about.
stripped() {
  [[ $# == 0 ]] || paste -d '' <(awk '{ print FILENAME ":" FNR ":" }' "$@") <(
    sed -s -E 's/"([^"\\]|\\.)*"/""/g; s@/\*.*\*/@@g; s@//.*@@; s@^[[:space:]]*/?\*.*@@' "$@"
  )
}

bad=0
# search WHY PATTERN FILE...: PATTERN begins behind the file's name and line.
search() {
  local why=$1 pattern=$2 hit
  shift 2
  while IFS= read -r hit; do
    echo "$hit: $why"
    bad=1
  done < <(stripped "$@" | grep -P "^[^:]*:\d+:.*$pattern")
}

mapfile -t code < <(for f in proto config daemon client tests; do [[ -d $f ]] && find "$f" -name '*.[ch]'; done | LC_ALL=C sort)
mapfile -t product < <(printf '%s\n' "${code[@]}" | grep -v '^tests/')
mapfile -t tests < <(printf '%s\n' "${code[@]}" | grep '^tests/' | grep -v '^tests/bench/')
search 'writes without a bound: snprintf, or a buf' '\b(v?sprintf|strcpy|strcat|stpcpy|gets)\s*\(' "${code[@]}"
search 'hides its errors: strtoll and look at the end' '\b(atoi|atol|atoll|atof)\s*\(' "${code[@]}"
search 'keeps hidden state: strsep, or an own loop' '\bstrtok(_r)?\s*\(' "${code[@]}"
search 'use CHECK, PRE or INVARIANT (daemon/lib/check.h)' '(\bassert\s*\(|<assert\.h>)' "${code[@]}"
# Only what computes and nothing else goes to libuv's pool.
mapfile -t own_threads < <(printf '%s\n' "${product[@]}" | grep -vx 'daemon/server/beside.c')
search 'SQL and files have threads of their own' '\buv_queue_work\s*\(' "${own_threads[@]}"
search 'a test waits for an event, not for the clock' '\b(sleep|usleep|nanosleep)\s*\(' "${tests[@]}"
# The helpers in tests/lib may poll for what gives no event (a file that appears); a test itself may not.
if [[ -d tests ]]; then
  mapfile -t scripts < <(find tests -name '*.py' -not -path 'tests/lib/*' -not -path 'tests/bench/*' | LC_ALL=C sort)
  for file in "${scripts[@]}"; do
    while IFS= read -r hit; do
      echo "$file:$hit: a test waits for an event, not for the clock"
      bad=1
    done < <(grep -nP '^[^#]*\btime\.sleep\s*\(' "$file" | grep -v '# pacing:')
  done
fi
exit $bad
