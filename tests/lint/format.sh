#!/usr/bin/env bash
# The code is as clang-format writes it. `tests/run.sh --format` puts it right. `format.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2
if ! command -v clang-format >/dev/null; then
  echo 'clang-format is not installed'
  exit 1
fi

bad=0
while IFS= read -r file; do
  if ! clang-format --style=file --dry-run -Werror "$file" 2>/dev/null; then
    echo "$file: not as clang-format writes it (first: $(clang-format --style=file --dry-run "$file" 2>&1 | head -n 1 |
      cut -d: -f2))"
    bad=1
  fi
done < <(for f in proto config daemon client tests; do [[ -d $f ]] && find "$f" -name '*.[ch]'; done | LC_ALL=C sort)
[[ $bad == 0 ]] || echo 'tests/run.sh --format puts it right'
exit $bad
