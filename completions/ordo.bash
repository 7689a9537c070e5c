# Completion of ordo for bash. Source this file, or put it into the folder of bash-completion under the name "ordo".
_ordo_completion() {
    # One word a line: bash cuts NSE:INFY, alice=10 and @family into pieces, and ordo puts them together again.
    local IFS=$'\n'
    COMPREPLY=($(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
        _ORDO_COMPLETE=complete_bash "$1" 2>/dev/null))
}

complete -o default -F _ordo_completion ordo
