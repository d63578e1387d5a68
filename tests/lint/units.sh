#!/usr/bin/env bash
# The units are as systemd reads them, and as closed as they claim, where systemd-analyze is installed; and what they share
# with alterd.conf agrees in any case. `units.sh [ROOT]`.
set -u
root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root" || exit 2

bad=0
# setting FILE KEY: the value of `KEY = value` or `KEY=value`.
setting() { sed -nE "s/^$2 ?= ?(.*)$/\1/p" "$1" | head -n 1; }
# agree UNIT KEY SETTING: the socket unit says what alterd.conf says.
agree() {
  local unit conf
  unit=$(setting "$1" "$2")
  conf=$(setting config/alterd.conf "$3")
  if [[ -z $unit || $unit != "$conf" ]]; then
    echo "$1: $2=$unit, but config/alterd.conf: $3 = $conf"
    bad=1
  fi
}
agree systemd/alterd.socket ListenStream socket
for socket in systemd/alterd.socket systemd/alterd@.socket; do
  agree "$socket" SocketMode socket_mode
  agree "$socket" Backlog backlog
done

# The template is the service, but for its name, its folders and its command line.
lines() {
  sed -E '/^(#|$)/d; :join; /\\$/{N; s/\\\n */ /; b join}' "$1" |
    grep -vE '^(Description|RequiresMountsFor|RuntimeDirectory|StateDirectory|ListenStream|ExecStart)='
}
for kind in service socket; do
  if ! diff <(lines "systemd/alterd.$kind") <(lines "systemd/alterd@.$kind"); then
    echo "systemd/alterd@.$kind: differs from alterd.$kind in the lines above (<: alterd.$kind)"
    bad=1
  fi
done
for key in RequiresMountsFor RuntimeDirectory StateDirectory ListenStream; do
  grep -h "^$key=" systemd/alterd@.service systemd/alterd@.socket | grep -v '/%i\(/\|$\)' | while IFS= read -r line; do
    echo "systemd/alterd@: $line: not a folder of the instance's own"
  done | grep . && bad=1
done
# Each setting of the service is its reason's neighbour: a block of lines without a comment above it has none.
awk '
  /^#/ { reason = 1 }
  /^$|^\[/ { reason = 0 }
  /^[A-Z][A-Za-z]*=/ && FILENAME ~ /\.service$/ && !reason && !/^(Description|Documentation|WantedBy)=/ {
    printf "%s:%d: %s: without a reason above it\n", FILENAME, FNR, $0; bad = 1
  }
  END { exit bad }' systemd/alterd.service || bad=1

if command -v systemd-analyze >/dev/null; then
  units=$(mktemp -d)
  trap 'rm -rf "$units"' EXIT
  cp systemd/alterd.service systemd/alterd.socket "$units"
  for kind in service socket; do
    cp "systemd/alterd@.$kind" "$units/alterd@shop.$kind"
  done
  # The program is not installed here; /bin/true stands for it.
  sed -i 's@^ExecStart=[^ ]*@ExecStart=/bin/true@' "$units"/*.service
  if ! systemd-analyze verify --man=no "$units"/*.service "$units"/*.socket; then
    echo 'systemd-analyze verify has something to say'
    bad=1
  fi
  # Exposure is 0.6 of 10; a line lost raises it. Only systemd 251 and newer can tell without running it.
  if systemd-analyze --help | grep -q -- --threshold; then
    for unit in "$units"/*.service; do
      systemd-analyze security --offline=true --threshold=6 "$unit" >"$units/log" 2>&1 || {
        tail -n 1 "$units/log"
        bad=1
      }
    done
  fi
fi
exit $bad
