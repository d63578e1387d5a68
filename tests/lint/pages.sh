#!/usr/bin/env bash
# The manual pages: they render without a warning where scdoc and groff are, their references lead somewhere, and what they
# have to tell is there: the library's functions, alterctl's commands, the daemon's options. `pages.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2

bad=0
complain() {
  echo "$*"
  bad=1
}
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
cp daemon/*.scd client/*.scd config/*.scd "$pages"
awk -f proto/man.awk proto/README.md >"$pages/alterd-protocol.7.scd"

for page in "$pages"/*.scd; do
  name=$(basename "$page" .scd)
  # The page's own references: *name*(section) of one that is here has its section.
  while IFS= read -r reference; do
    file=${reference%(*}.${reference#*(}
    file=${file%)}
    if compgen -G "$pages/${reference%(*}.[0-9].scd" >/dev/null && [[ ! -e $pages/$file.scd ]]; then
      complain "$name: $reference: there is no such section"
    fi
    [[ $reference == alter* && ! -e $pages/$file.scd ]] && complain "$name: $reference: there is no such page"
  done < <(grep -oE '\*[a-z.0-9-]+\*\([0-9]\)' "$page" | tr -d '*' | sort -u)
  command -v scdoc >/dev/null || continue
  scdoc <"$page" >"$pages/$name" || complain "$name: scdoc does not take it"
  command -v groff >/dev/null || continue
  groff -man -ww -Tutf8 -z "$pages/$name" >"$pages/log" 2>&1
  [[ -s $pages/log ]] && complain "$name: $(head -n 3 "$pages/log")"
done

# told PAGE WORD WHAT: the page has it as a bold word.
declare -A text
told() {
  [[ -v text[$1] ]] || text[$1]=$(tr -d '\\' <"$1")
  [[ ${text[$1]} =~ \*$2(\*|[ =]) ]] || complain "$1: $3 $2 is missing"
}
while IFS= read -r name; do
  told client/libalterd.3.scd "$name" function
done < <(sed -nE 's/^ALTERD_API [^;(]*[ *](alterd_[a-z_]+)\(.*/\1/p' client/alterd.h)
while IFS= read -r name; do
  told client/alterctl.1.scd "$name" command
done < <(sed -nE 's/^\t\{"([a-z]+)", cmd_.*/\1/p' client/ctl/commands.c)
while IFS= read -r name; do
  told daemon/alterd.8.scd "--$name" option
done < <(sed -nE 's/^\t\{"([a-z-]+)", (no|required)_argument.*/\1/p' daemon/main.c)
exit $bad
