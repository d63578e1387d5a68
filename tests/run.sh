#!/usr/bin/env bash
# Builds alterd and runs its tests; the same for people and for CI. Installs what is missing (Debian, root or sudo).
#
#   tests/run.sh            lint, release build, unit and system tests; the same under ASan+UBSan and under TSan; short
#                           fault sweeps and fuzz
#   tests/run.sh --quick    lint, release build, unit tests
#   tests/run.sh --long     all of the above and the long forms: fuzz 5 minutes a target, soaks, fault sweeps, clang-tidy
#   tests/run.sh --long fuzz|soak|faults|tidy
#                           one of these alone
#   tests/run.sh --format   writes all code as clang-format does
#
# The short form draws the same random cases each time, so that a change of the code is judged by the cases of the one before
# it; ALTERD_SEED=N draws others, --long new ones each time.
#
# Builds land in build/ (release), build/asan, build/tsan, build/fuzz, build/faults; logs in build/log/. The last line is
# "N passed, N failed", the exit code 0 only if nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD

mode=default
part=
case ${1:-}:${2:-} in
:) ;;
--quick: | --long: | --format:) mode=${1#--} ;;
--long:fuzz | --long:soak | --long:faults | --long:tidy)
  mode=long
  part=$2
  ;;
-h: | --help:)
  sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "$0"
  exit 0
  ;;
*)
  echo "usage: tests/run.sh [--quick | --long [fuzz | soak | faults | tidy] | --format]" >&2
  exit 2
  ;;
esac

jobs=$(nproc)
passed=0
failed=0
failures=()
times=()
# Sanitizer reports of any process land here; one that a test did not notice fails the step all the same.
reports=$root/build/log/reports

[[ $mode == long ]] || export ALTERD_SEED=${ALTERD_SEED:-1}

# ---- what the build and the tests need -----------------------------------------------------------------------------
packages=(build-essential cmake ninja-build pkg-config libsqlite3-dev libuv1-dev libjansson-dev nettle-dev libedit-dev check
  python3 clang libclang-rt-14-dev clang-format clang-tidy cppcheck sqlite3 proj-data scdoc systemd tmux
  groff-base file)

install_missing() {
  local missing=() package sudo=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "not a Debian system: make sure these are there: ${packages[*]}"
    return 0
  fi
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} == 0 ]] && return 0
  echo "installing ${missing[*]}"
  if [[ $(id -u) != 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "need root or sudo to install ${missing[*]}" >&2
      return 1
    fi
    sudo=(sudo)
  fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# ---- steps ---------------------------------------------------------------------------------------------------------
now_s() { date +%s; }

begin() {
  step=$1
  step_began=$(now_s)
  printf '\n==== %s\n' "$step"
}

# end: notes the time of the step that began last.
end() {
  local took=$(($(now_s) - step_began))
  times+=("$(printf '%5d s  %s' "$took" "$step")")
  printf -- '---- %s: %d s\n' "$step" "$took"
}

# note_result WHAT STATUS: one thing that passed or failed by itself.
note_result() {
  if [[ $2 == 0 ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    failures+=("$1")
    echo "FAILED: $1"
  fi
}

# compile FOLDER OPTION...: configures and builds everything, or the `targets` of the caller; one at a time in a folder.
compile() {
  local folder=$1
  shift
  (
    flock 9
    cmake -S . -B "$folder" -G Ninja -DALTERD_WERROR=ON "${launcher[@]}" "$@" &&
      cmake --build "$folder" -j "$jobs" ${targets:+--target $targets}
  ) 9>"build/log/$(echo "$folder" | tr / -).lock"
}

# build FOLDER OPTION...: compiles; the log is shown only when it fails.
build() {
  local folder=$1 log status
  log=build/log/$(echo "$folder" | tr / -).log
  begin "build $folder"
  compile "$@" >"$log" 2>&1
  status=$?
  [[ $status == 0 ]] || tail -n 60 "$log"
  note_result "build $folder" $status
  end
  return $status
}

# tests FOLDER LABEL CTEST-OPTION...: runs the tests of one label and counts them.
tests() {
  local folder=$1 label=$2 log status summary bad total report
  shift 2
  log=$root/build/log/$(echo "$folder-$label" | tr / -).log
  begin "$label tests, $folder"
  rm -rf "$reports"
  mkdir -p "$reports"
  (cd "$folder" && ${run_under:-} ctest -L "^$label\$" --output-on-failure --no-tests=error "$@") 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  summary=$(grep -oE '[0-9]+ tests? failed out of [0-9]+' "$log" | tail -n 1)
  if [[ $summary =~ ^([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+)$ ]]; then
    bad=${BASH_REMATCH[1]}
    total=${BASH_REMATCH[2]}
    failed=$((failed + bad))
    passed=$((passed + total - bad))
    while IFS= read -r name; do
      failures+=("$folder: $name")
    done < <(sed -n '/^The following tests FAILED:/,$s/^[[:space:]]*[0-9]* - //p' "$log")
    # What failed in them: told again at the end, where it is found in a long log.
    while IFS= read -r name; do
      failures+=("    ${name:0:300}")
    done < <(grep -E '^FAIL |:[EF]:[^:]*:[^:]*:[0-9]+: |ERROR: AddressSan|WARNING: ThreadSan|runtime error:' "$log" |
      head -n 20)
    # ctest ends with an error though no test failed: that must not pass for a success.
    [[ $status != 0 && $bad == 0 ]] && note_result "$label tests, $folder: ctest ended with $status" 1
  else
    note_result "$label tests, $folder: no test ran" 1
  fi
  for report in "$reports"/*; do
    [[ -f $report ]] || continue
    echo "---- sanitizer report $(basename "$report")"
    head -n 80 "$report"
    note_result "$folder: sanitizer report during the $label tests" 1
  done
  end
}

# in_memory COMMAND...: with its temporary files in memory where there is room. What sanitizers look for does not depend on
# the disk, whose time they would wait for; the release build's tests run on it.
in_memory() {
  local free_kib
  free_kib=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
  if [[ -w /dev/shm && ${free_kib:-0} -gt $((4 << 20)) ]]; then
    TMPDIR=/dev/shm "$@"
  else
    "$@"
  fi
}

# For /usr, as packages are.
release() { build build -DALTERD_FAULTS=OFF -DCMAKE_INSTALL_PREFIX=/usr; }

build_asan() { "$1" build/asan -DALTERD_ASAN=ON -DALTERD_UBSAN=ON; }
build_tsan() { "$1" build/tsan -DALTERD_TSAN=ON; }
build_faults() { "$1" build/faults -DALTERD_FAULTS=ON; }
build_fuzz() { targets=fuzzers "$1" build/fuzz -DALTERD_FUZZ=ON -DCMAKE_C_COMPILER=clang; }
# What the short sweeps need.
fault_targets='alterd alterctl fault_programs'

# Compiles what comes later in processor time that nobody else wants: beside tests that mostly wait. What fails is told
# when its turn comes.
compile_ahead() {
  (
    chrt --idle --pid 0 $BASHPID || renice -n 19 $BASHPID
    build_tsan compile
    targets=$fault_targets build_faults compile
    build_fuzz compile
  ) >build/log/ahead.log 2>&1 &
}

asan() {
  build_asan build || return
  compile_ahead
  ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1:log_path=$reports/asan
  # Freed memory is used again after 16 MiB, new memory is not filled, ten callers are kept of each: half the time.
  ASAN_OPTIONS+=:quarantine_size_mb=16:max_malloc_fill_size=0:malloc_context_size=10
  export ASAN_OPTIONS
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$reports/ubsan
  # Not forked for each test: that is dear here, and what leaks is looked for where a program ends.
  CK_FORK=no in_memory tests build/asan unit -j "$jobs"
  in_memory tests build/asan system -j "$jobs"
  unset ASAN_OPTIONS UBSAN_OPTIONS
}

# ThreadSanitizer needs its address ranges free. A kernel that randomises more bits than it knows of takes them now and
# then; then the tests run without randomisation.
tsan_probe() {
  local folder=build/log/probe i
  mkdir -p $folder
  echo 'int main(void) { return 0; }' >$folder/probe.c
  cc -fsanitize=thread -o $folder/probe $folder/probe.c || return 0
  for i in 1 2 3 4 5 6 7 8; do
    $folder/probe >/dev/null 2>&1 || { command -v setarch >/dev/null && setarch "$(uname -m)" -R $folder/probe &&
      run_under="setarch $(uname -m) -R"; return 0; }
  done
}

tsan() {
  build_tsan build || return
  tsan_probe
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:log_path=$reports/tsan
  [[ -f tests/tsan.supp ]] && TSAN_OPTIONS+=:suppressions=$root/tests/tsan.supp
  # Check's fork leaves the sanitizer's background thread behind; each test runs in the process itself.
  CK_FORK=no in_memory tests build/tsan unit -j "$jobs"
  in_memory tests build/tsan system -j "$jobs"
  run_under=
  unset TSAN_OPTIONS
}

# fuzz_one TARGET SECONDS: from its checked-in corpus; what it finds on the way is kept in build/fuzz/corpus.
fuzz_one() {
  local target=$1 seconds=$2 name checked_in=()
  name=$(basename "$target")
  name=${name#fuzz_}
  mkdir -p "build/fuzz/corpus/$name" build/fuzz/artifacts
  [[ -d tests/fuzz/corpus/$name ]] && checked_in=("tests/fuzz/corpus/$name")
  "$target" -seed="${ALTERD_SEED:-0}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/artifacts/$name-" "build/fuzz/corpus/$name" "${checked_in[@]}" >"build/log/fuzz-$name.log" 2>&1
  echo $? >"build/log/fuzz-$name.status"
}

# fuzz SECONDS: each target, as many at a time as there are processors.
fuzz() {
  local seconds=$1 target name log status
  build_fuzz build || return
  begin "fuzz, $seconds s a target"
  rm -f build/log/fuzz-*
  for target in build/fuzz/fuzz/fuzz_*; do
    [[ -x $target ]] || continue
    while [[ $(jobs -rp | wc -l) -ge $jobs ]]; do
      wait -n
    done
    fuzz_one "$target" "$seconds" &
  done
  wait
  for log in build/log/fuzz-*.log; do
    name=$(basename "$log" .log)
    name=${name#fuzz-}
    status=$(cat "build/log/fuzz-$name.status" 2>/dev/null || echo 1)
    [[ $status == 0 ]] || tail -n 60 "$log"
    echo "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs"
    note_result "fuzz $name" "$status"
  done
  end
}

tidy() {
  local status
  begin 'clang-tidy'
  cmake -S . -B build -G Ninja "${launcher[@]}" >build/log/tidy-configure.log 2>&1
  find proto config daemon client -name '*.c' -print0 2>/dev/null |
    xargs -0 -n 4 -P "$jobs" clang-tidy -p build --quiet 2>/dev/null | tee build/log/tidy.log | grep -E 'warning:|error:'
  grep -qE 'warning:|error:' build/log/tidy.log
  status=$((1 - $?))
  note_result 'clang-tidy' "${status#-}"
  end
}

# The short sweeps; with "long" every fault there is.
faults() {
  local targets=$fault_targets
  [[ ${1:-} == long ]] && targets=all
  build_faults build || return
  tests build/faults system -R '^system\.fault_' -j "$jobs"
  [[ ${1:-} == long ]] || return 0
  tests build/faults unit -j "$jobs"
  tests build/faults fault -C Long -j "$jobs"
}

# What the README begins with, as a stranger types it.
quickstart() {
  begin 'quickstart.sh'
  ./quickstart.sh >build/log/quickstart.log 2>&1
  local status=$?
  [[ $status == 0 ]] || cat build/log/quickstart.log
  note_result 'quickstart.sh' $status
  end
}

finish() {
  local total=$((passed + failed)) line
  printf '\n==== summary, %d s\n' $(($(now_s) - run_began))
  printf '%s\n' "${times[@]}"
  echo
  [[ $total == 0 ]] && total=1 && failed=1
  echo "$((100 * passed / total))% tests passed, $failed tests failed out of $total"
  if [[ ${#failures[@]} != 0 ]]; then
    echo 'The following FAILED:'
    for line in "${failures[@]}"; do
      echo "  $line"
    done
  fi
  echo "$passed passed, $failed failed"
  [[ $failed == 0 ]]
  exit
}

# ---- the run -------------------------------------------------------------------------------------------------------
run_began=$(now_s)
if ! install_missing; then
  echo 'what the build needs could not be installed'
  echo '0 passed, 1 failed'
  exit 1
fi
if [[ $mode == format ]]; then
  find proto config daemon client tests -name '*.[ch]' -print0 2>/dev/null | xargs -0 clang-format --style=file -i
  exit
fi
mkdir -p build/log
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)

# The long forms. Whole programs that wait for each other or for the disk run two at a time.
soak() { tests build long -C Long -j "$jobs"; }
if [[ -n $part ]]; then
  case $part in
  fuzz) fuzz 300 ;;
  soak) release && soak ;;
  faults) faults long ;;
  tidy) tidy ;;
  esac
  finish
fi
if release; then
  tests build lint -j "$jobs"
  tests build unit -j "$jobs"
  [[ $mode == quick ]] && finish
  tests build system -j "$jobs"
else
  # The lints need no binary: what they have to say is told in any case.
  [[ -f build/build.ninja ]] && tests build lint -j "$jobs"
  [[ $mode == quick ]] && finish
fi
asan
tsan
if [[ $mode == long ]]; then
  fuzz 300
  soak
  faults long
  tidy
else
  faults
  fuzz 10
fi
quickstart
finish
