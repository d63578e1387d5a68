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
  histedit.h) echo 'client/ctl' ;;
  uv.h) echo 'daemon|daemon/lib|daemon/store|daemon/migrate|daemon/server' ;;
  esac
}

bad=0
complain() {
  echo "$1"
  bad=1
}

folder_of() {
  ret=${1%/*}
}

while IFS=: read -r file line text; do
  folder_of "$file"
  folder=$ret
  if [[ $folder != "${last_folder:-}" ]]; then
    rooms=$(may_include "$folder")
    last_folder=$folder
  fi
  if [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]]; then
    path=${BASH_REMATCH[1]}
    folder_of "$path"
    if [[ $file == client/alterd.h ]]; then
      complain "$file:$line: the public header stands alone, it cannot include $path"
    elif [[ $path != */* || $path == ./* || $path == *..* ]]; then
      complain "$file:$line: \"$path\" is not rooted: write it from the top of the tree"
    elif ! [[ $ret =~ ^($rooms)$ ]]; then
      complain "$file:$line: $folder may not include $path"
    elif [[ ! -f $path ]]; then
      complain "$file:$line: $path does not exist"
    fi
  elif [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\<([^\>]+)\> ]]; then
    header=${BASH_REMATCH[1]}
    case $header in
    jansson.h | sqlite3.h | uv.h | histedit.h)
      [[ $folder =~ ^($(may_know "$header"))$ ]] || complain "$file:$line: $folder may not include <$header>"
      ;;
    esac
  fi
done < <(for f in proto config daemon client; do [[ -d $f ]] && find "$f" -name '*.[ch]' -print0; done | LC_ALL=C sort -z |
  xargs -0 -r grep -nHE '^[[:space:]]*#[[:space:]]*include')
exit $bad
