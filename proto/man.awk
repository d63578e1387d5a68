# Makes the manual page alterd-protocol(7) of proto/README.md: what scdoc reads on stdout. One text, two forms.
#
# It knows the markdown of that page: headings, paragraphs, lists, fenced code, tables, `code`, **bold**, *emphasis*, [links](..). A row
# of a table becomes its first cell and, indented below it, the others by the names of their columns.

BEGIN {
	print "alterd-protocol(7)\n"
	print "# NAME\n"
	print "alterd-protocol - how programs talk to alterd\n"
	print "# DESCRIPTION\n"
}

# `code` and **bold** become bold, whatever else means something to scdoc itself.
function text(line,    out, i, c) {
	gsub(/\]\([^)]*\)/, "]", line)
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (c == "`") {
			code = !code
			out = out "*"
		} else if (!code && substr(line, i, 2) == "**") {
			out = out "*"
			i++
		} else if (!code && c == "*") {
			out = out "_"
		} else if (!code && (c == "[" || c == "]")) {
			# A link's: the text itself has none.
			continue
		} else if (c == "\\" || c == "*" || c == "_" || c == "[" || c == "]" || c == "|" || c == "#" || c == "~") {
			out = out "\\" c
		} else {
			out = out c
		}
	}
	return out
}

function trim(s) {
	gsub(/^ +| +$/, "", s)
	return s
}

# The cells of a row, in cell[1..]; a bar in code is none.
function split_row(line,    i, c, n, in_code) {
	n = 0
	cell[0] = ""
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (c == "`")
			in_code = !in_code
		if (c == "|" && !in_code)
			cell[++n] = ""
		else
			cell[n] = cell[n] c
	}
	return n - 1
}

function row(line,    i, n, rest) {
	n = split_row(line)
	if (!columns) {
		columns = n
		for (i = 1; i <= n; i++)
			head[i] = trim(cell[i])
		return
	}
	if (cell[1] ~ /^ ?-+ ?$/)
		return
	print text(trim(cell[1]))
	rest = ""
	for (i = 2; i <= n; i++)
		if (trim(cell[i]) != "")
			rest = rest (rest ? "++\n\t" : "\t") (columns > 2 ? text(head[i]) ": " : "") text(trim(cell[i]))
	print rest "\n"
}

/^```/ {
	fenced = !fenced
	print "```"
	next
}
fenced {
	gsub(/\\/, "&&")
	print
	next
}
/^# / { next }
/^## The code/ { exit }
/^## / {
	print "# " toupper(text(substr($0, 4)))
	next
}
/^### / {
	print "## " text(substr($0, 5))
	next
}
/^\|/ {
	row($0)
	next
}
{
	columns = 0
	if (sub(/^\* /, ""))
		print "- " text($0)
	else if (sub(/^  /, ""))
		print "  " text($0)
	else
		print text($0)
}

END {
	print "\n# SEE ALSO\n"
	print "*alterd*(8), *alterctl*(1), *libalterd*(3), *alterd-migrations*(5)"
}
