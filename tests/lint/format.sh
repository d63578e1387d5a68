#!/usr/bin/env bash
# The code is as clang-format writes it. `tests/run.sh --format` puts it right. `format.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2
if ! command -v clang-format >/dev/null; then
  echo 'clang-format is not installed'
  exit 1
fi

files() {
  for f in proto config daemon client tests; do [[ -d $f ]] && find "$f" -name '*.[ch]' -print0; done | LC_ALL=C sort -z
}
# FILE:LINE:.. of each place, a few files a process and as many processes as there are processors.
found=$(files | xargs -0 -r -n 20 -P "$(nproc)" clang-format --style=file --dry-run -Werror 2>&1 | grep -E '^[^ ]+:[0-9]+:')
[[ -z $found ]] && exit 0
sort -u -t: -k1,1 <<<"$found" | sed -E 's/^([^:]+):([0-9]+):.*/\1: not as clang-format writes it (first: \2)/'
echo 'tests/run.sh --format puts it right'
exit 1
