#!/usr/bin/env bash
# cppcheck over the product, within two minutes. `cppcheck.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2
if ! command -v cppcheck >/dev/null; then
  echo 'cppcheck is not installed'
  exit 1
fi

folders=()
for f in proto config daemon client; do
  [[ -d $f ]] && folders+=("$f")
done
# The suppressed ones: a library function's prototype is not known to it; one configuration of the macros is checked,
# the one that is built, with the fault points in.
timeout 120 cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
  --error-exitcode=1 --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -j 2 -I . \
  -D_GNU_SOURCE -DALTERD_FAULTS -DALTERD_VERSION='"0"' --template='{file}:{line}: {severity}: {message} [{id}]' \
  "${folders[@]}"
status=$?
[[ $status == 124 ]] && echo 'cppcheck did not end within two minutes'
exit $status
