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
  unit=$(setting systemd/alterd.socket "$1")
  conf=$(setting config/alterd.conf "$2")
  if [[ -z $unit || $unit != "$conf" ]]; then
    echo "systemd/alterd.socket: $1=$unit, but config/alterd.conf: $2 = $conf"
    bad=1
  fi
}
agree ListenStream socket
agree SocketMode socket_mode
agree Backlog backlog

if command -v systemd-analyze >/dev/null; then
  units=$(mktemp -d)
  trap 'rm -rf "$units"' EXIT
  cp systemd/alterd.service systemd/alterd.socket "$units"
  # The program is not installed here; /bin/true stands for it.
  sed -i 's@^ExecStart=[^ ]*@ExecStart=/bin/true@' "$units/alterd.service"
  if ! systemd-analyze verify --man=no "$units"/alterd.service "$units"/alterd.socket; then
    echo 'systemd-analyze verify has something to say'
    bad=1
  fi
  # Exposure is 0.5 of 10; a line lost raises it. Only systemd 251 and newer can tell without running it.
  if systemd-analyze --help | grep -q -- --threshold; then
    systemd-analyze security --offline=true --threshold=6 "$units/alterd.service" >"$units/log" 2>&1 || {
      tail -n 1 "$units/log"
      bad=1
    }
  fi
fi
exit $bad
