#!/usr/bin/env bash
# The lints can fail: each is fed a small tree with one fault in it and must find it, and a clean tree and must not.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0

clean() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{proto,config,daemon/{lib,store,migrate,server},client/{lib,ctl},tests/{unit/lib,system}}
  cp "$here/../../.clang-format" "$tree/.clang-format"
  printf 'int a;\n' | tee "$tree"/{proto,daemon/{lib,store,migrate,server},config}/a.h >"$tree/client/alterd.h"
  printf '#include <uv.h>\n\n#include "proto/a.h"\n' >"$tree/daemon/store/a.c"
}

# expect WANTED LINT TITLE: 0 = passes, 1 = finds something.
expect() {
  local wanted=$1 lint=$2 title=$3 output status
  output=$("$here/$lint.sh" "$tree" 2>&1)
  status=$?
  if [[ $status != "$wanted" ]]; then
    echo "$lint: $title: ended with $status, wanted $wanted"
    echo "$output"
    bad=1
  fi
}

# found LINT FILE LINE TITLE: the clean tree with this line added to this file is refused.
found() {
  clean
  printf '%b\n' "$3" >>"$tree/$2"
  expect 1 "$1" "$4"
}

clean
for lint in include_edges banned length text format; do
  expect 0 "$lint" 'a clean tree'
done

found include_edges proto/b.c '#include "daemon/lib/a.h"' 'proto includes lib'
found include_edges daemon/lib/b.c '#include "daemon/store/a.h"' 'lib includes store'
found include_edges daemon/store/b.c '#include "daemon/migrate/a.h"' 'store includes migrate'
found include_edges daemon/migrate/b.c '#include "daemon/server/a.h"' 'migrate includes server'
found include_edges config/b.c '#include "daemon/store/a.h"' 'config includes store'
found include_edges client/ctl/b.c '#include "daemon/lib/a.h"' 'client includes lib'
found include_edges client/alterd.h '#include "proto/a.h"' 'the public header includes proto'
found include_edges daemon/server/b.c '#include <sqlite3.h>' 'server knows SQLite'
found include_edges daemon/store/b.c '#include <jansson.h>' 'store knows jansson'
found include_edges client/lib/b.c '#include <uv.h>' 'client knows libuv'
found include_edges daemon/store/b.c '#include "a.h"' 'not rooted'
found include_edges daemon/store/b.c '#include "proto/../daemon/server/a.h"' 'round the corner'
found include_edges daemon/store/b.c '  #  include "daemon/server/a.h"' 'with blanks'
found include_edges daemon/store/b.c '#include "proto/none.h"' 'no such file'

found banned proto/b.c '\tsprintf(a, b);' 'sprintf'
found banned client/lib/b.c '\tx = atoi (b);' 'atoi'
found banned daemon/lib/b.c '\tassert(x);' 'assert'
found banned daemon/lib/b.c '\tuv_queue_work(loop, w, a, b);' 'uv_queue_work'
found banned tests/unit/lib/b.c '\tusleep(10);' 'usleep in a test'
found banned tests/system/test_b.py 'time.sleep(1)' 'sleep in a system test'
clean
printf '\tsnprintf(a, 1, "sprintf(");\n\t_Static_assert(1, "");\n/* never sprintf(a, b) */\n' >"$tree/proto/b.c"
expect 0 banned 'names that only look banned'

# A body of 61 lines, 60 lines, and 61 lines that are one switch.
body() { printf 'int f(void)\n{\n' && seq -f '\tint v%.0f;' "$1" && printf '%b}\n' "$2"; }
clean
body 61 '' >"$tree/proto/b.c"
expect 1 length 'a function of 61 lines'
body 60 '' >"$tree/proto/b.c"
expect 0 length 'a function of 60 lines'
body 61 '\t/* flat switch */\n' >"$tree/proto/b.c"
expect 0 length 'a flat switch'
seq -f 'int v%.0f;' 451 >"$tree/proto/b.c"
expect 1 length 'a file of 451 lines'

note='TO''DO'
found text proto/b.c "/* $note: later */" 'a note to oneself'
found text proto/b.c 'int trailing; ' 'a blank at the end'
found text proto/b.c '/* /ho''me/someone/x */' 'a path of one machine'
found text proto/b.c "$(printf '/* %0120d */' 0)" 'a long line'
clean
printf 'int a;' >"$tree/proto/b.c"
expect 1 text 'no newline at the end'

found format proto/b.c 'int   b ;' 'not formatted'
if command -v cppcheck >/dev/null; then
  clean
  expect 0 cppcheck 'a clean tree'
  found cppcheck proto/b.c 'int f(void)\n{\n\tint x[2];\n\tx[0] = 1;\n\treturn x[2];\n}' 'an index out of bounds'
fi
# These two are about files of the tree itself: a copy of it, with one line changed.
changed() {
  local lint=$1 file=$2 script=$3 title=$4
  rm -rf "${tree:?}"/*
  cp -r "$here"/../../{systemd,proto,config,daemon,client} "$tree"
  sed -i "$script" "$tree/$file"
  expect 1 "$lint" "$title"
}
changed units systemd/alterd@.service '/^LockPersonality=/d' 'a template with less than the service'
changed units systemd/alterd@.service 's/^RuntimeDirectory=.*/RuntimeDirectory=alterd/' 'a folder of several instances'
changed units systemd/alterd.socket 's/^Backlog=.*/Backlog=5/' 'a socket unit that alterd.conf contradicts'
changed units systemd/alterd.service 's/^# SQLite compiles.*//' 'a line without a reason'
changed pages client/alterctl.1.scd 's/^\*history\*/*hist*/' 'a command that its page does not have'
changed pages client/libalterd.3.scd 's/alterd_cancel/alterd_cansel/' 'a function that its page does not have'
changed pages daemon/alterd.8.scd 's/\*alterctl\*(1)/*alterctl*(5)/' 'a reference to no page'
[[ $bad == 0 ]] && echo 'every lint finds what it is for'
exit $bad
