# bash completion for alterctl. What there is to offer the program knows itself: alterctl --complete.
_alterctl()
{
	local line kind=
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:*) kind=${line#:} ;;
		*)
			printf -v line %q "$line"
			COMPREPLY+=("$line")
			;;
		esac
	done < <("$1" --complete "$COMP_CWORD" "${COMP_WORDS[@]:1}" 2>/dev/null)
	case $kind in
	files) compopt -o default ;;
	dirs) compopt -o dirnames ;;
	esac
	# A key whose value comes next.
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	return 0
} &&
	complete -F _alterctl alterctl
