#!/usr/bin/env bash
# A room includes only what it may: proto <- lib <- store <- migrate <- server <- main; config uses lib; client uses
# proto. JSON stops at proto, SQLite at store and migrate, libuv stays in the daemon. `include_edges.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2

# What each folder may include, as a pattern of the included path's folder.
may_include() {
  case $1 in
  proto) echo 'proto' ;;
  config) echo 'proto|daemon/lib|config' ;;
  daemon/lib) echo 'proto|daemon/lib' ;;
  daemon/store) echo 'proto|daemon/lib|daemon/store' ;;
  daemon/migrate) echo 'proto|daemon/lib|daemon/store|daemon/migrate' ;;
  daemon/server) echo 'proto|config|daemon/lib|daemon/store|daemon/migrate|daemon/server' ;;
  daemon) echo 'proto|config|daemon/lib|daemon/store|daemon/migrate|daemon/server' ;;
  client | client/lib | client/ctl) echo 'proto|client|client/lib|client/ctl' ;;
  *) echo 'no-room-at-all' ;;
  esac
}

# Foreign libraries, and the folders that may know them.
may_know() {
  case $1 in
  jansson.h) echo 'proto' ;;
  sqlite3.h) echo 'daemon/store|daemon/migrate' ;;
  uv.h) echo 'daemon|daemon/lib|daemon/store|daemon/migrate|daemon/server' ;;
  *) echo '.*' ;;
  esac
}

bad=0
complain() {
  echo "$1"
  bad=1
}

while IFS= read -r file; do
  folder=$(dirname "$file")
  rooms=$(may_include "$folder")
  while IFS=: read -r line text; do
    if [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]]; then
      path=${BASH_REMATCH[1]}
      if [[ $file == client/alterd.h ]]; then
        complain "$file:$line: the public header stands alone, it cannot include $path"
      elif [[ $path != */* || $path == ./* || $path == *..* ]]; then
        complain "$file:$line: \"$path\" is not rooted: write it from the top of the tree"
      elif ! [[ $(dirname "$path") =~ ^($rooms)$ ]]; then
        complain "$file:$line: $folder may not include $path"
      elif [[ ! -f $path ]]; then
        complain "$file:$line: $path does not exist"
      fi
    elif [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\<([^\>]+)\> ]]; then
      known=$(may_know "${BASH_REMATCH[1]}")
      [[ $folder =~ ^($known)$ ]] || complain "$file:$line: $folder may not include <${BASH_REMATCH[1]}>"
    fi
  done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$file")
done < <(for f in proto config daemon client; do [[ -d $f ]] && find "$f" -name '*.[ch]'; done | LC_ALL=C sort)
exit $bad
