# Figures of many rounds, and how they are told: median, spread, and whether an aim was reached. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # names are shared with run.sh

declare -A samples # name -> values of all rounds, with blanks between
summary=()         # lines with an aim, told again at the end

# value NAME LINE: the value of name=.. in a line of key=value.
value() {
	local word
	for word in $2; do
		case $word in "$1="*) printf '%s' "${word#*=}" && return ;; esac
	done
	fail "no $1 in: $2"
}

keep() { samples[$1]="${samples[$1]:-} $2"; }

# keep_line NAME LINE: each key=value of the line as a sample of NAME.key.
keep_line() {
	local word
	for word in $2; do
		keep "$1.${word%%=*}" "${word#*=}"
	done
}

has() { [ -n "${samples[$1]:-}" ]; }

# stats NAME: "median least greatest" of its samples.
stats() {
	tr ' ' '\n' <<<"${samples[$1]}" | grep . | sort -g |
		awk -v OFMT=%.10g '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR]}'
}
median() { stats "$1" | cut -d' ' -f1; }
greatest() { stats "$1" | cut -d' ' -f3; }
greater() { awk -v a="$1" -v b="$2" 'BEGIN {exit !(a > b)}'; }

# faster A B: the one of two samples with the greater median.
faster() { if greater "$(median "$1")" "$(median "$2")"; then say "$1"; else say "$2"; fi; }

# quotients NAME A B [FACTOR]: samples A / B * FACTOR, round by round.
quotients() {
	has "$2" && has "$3" || fail "no samples of $2 or $3"
	samples[$1]=$(awk -v a="${samples[$2]}" -v b="${samples[$3]}" -v f="${4:-1}" 'BEGIN {
		n = split(a, x, " "); split(b, y, " ");
		for (i = 1; i <= n; i++) printf " %.6g", x[i] / (y[i] > 0 ? y[i] : 1e-9) * f}')
}

# spread NAME FACTOR UNIT: "median UNIT (least .. greatest)", each times FACTOR.
spread() {
	stats "$1" | awk -v f="${2:-1}" -v unit="${3:-}" '{
		printf "%8.2f %-4s (%.2f .. %.2f)", $1 * f, unit, $2 * f, $3 * f}'
}

# figure NAME TEXT UNIT [<=|>= AIM [FACTOR]]: a line of the report; with an aim, of the summary, too. The median counts.
figure() {
	local line verdict=""
	line=$(printf '  %-58s %s' "$2" "$(spread "$1" "${6:-1}" "$3")")
	if [ -n "${4:-}" ]; then
		verdict=$(awk -v v="$(median "$1")" -v f="${6:-1}" -v op="$4" -v aim="$5" 'BEGIN {
			v *= f; printf "   aim %s %s: %s", op, aim, (op == "<=" ? v <= aim : v >= aim) ? "reached" : "NOT REACHED"}')
		summary+=("$line$verdict")
	fi
	say "$line$verdict"
}

# never_above NAME TEXT UNIT LIMIT: the same for the worst of all rounds.
never_above() {
	local line
	line=$(awk -v text="$2" -v unit="$3" -v v="$(greatest "$1")" -v limit="$4" 'BEGIN {
		printf "  %-58s %8.2f %-4s   never above %s: %s", text, v, unit, limit, v <= limit ? "held" : "NOT HELD"}')
	summary+=("$line")
	say "$line"
}

# ratio A B TEXT [<=|>= AIM]: the rounds' ratios of two samples.
ratio() {
	quotients "$1/$2" "$1" "$2"
	figure "$1/$2" "$3" x "${@:4}"
}

# rate NAME TEXT: operations a second with their spread, and the median of the latencies if kept.
rate() {
	local m least most latency=""
	read -r m least most < <(stats "$1")
	! has "$1.p99" || latency="  p50 $(median "$1.p50") us  p99 $(median "$1.p99") us  max $(median "$1.max") us"
	printf '  %-44s %9.0f /s  (%.0f .. %.0f)%s\n' "$2" "$m" "$least" "$most" "$latency"
}
