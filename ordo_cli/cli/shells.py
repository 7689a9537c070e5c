"""The completion scripts for bash, zsh, fish and PowerShell: what a shell asks ordo when TAB is pressed.

`_ORDO_COMPLETE=source_bash ordo` prints one. The files in `completions/` are these texts; a test keeps them current.
"""

BASH = """\
# Completion of ordo for bash. Source this file, or put it into the folder of bash-completion under the name "ordo".
_ordo_completion() {
    # One word a line: bash cuts NSE:INFY, alice=10 and @family into pieces, and ordo puts them together again.
    local IFS=$'\\n'
    COMPREPLY=($(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \\
        _ORDO_COMPLETE=complete_bash "$1" 2>/dev/null))
}

complete -o default -F _ordo_completion ordo
"""

# The last line serves both ways in: autoloaded from fpath, the file is the first run; sourced, it registers itself.
ZSH = """\
#compdef ordo
# Completion of ordo for zsh. Put this file, named _ordo, into a folder of fpath, or source it after compinit.
_ordo_completion() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _ORDO_COMPLETE=complete_zsh ordo 2>/dev/null)"
}

if [ "$funcstack[1]" = "_ordo" ]; then _ordo_completion "$@"; else compdef _ordo_completion ordo; fi
"""

FISH = """\
# Completion of ordo for fish. Put this file into ~/.config/fish/completions.
function __ordo_completion
    set -lx _ORDO_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    command ordo 2>/dev/null
end

complete --command ordo --no-files --arguments "(__ordo_completion)"
complete --command ordo --force-files \\
    --condition "__fish_seen_subcommand_from batch; and __fish_seen_subcommand_from check run"
"""

POWERSHELL = """\
# Completion of ordo for PowerShell. Dot-source this file from $PROFILE.
Register-ArgumentCompleter -Native -CommandName ordo -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_ORDO_COMPLETE = 'complete_pwsh'
    $Env:_TYPER_COMPLETE_ARGS = $commandAst.ToString()
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = $wordToComplete
    try {
        ordo 2>$null | ForEach-Object {
            $value, $help = $_ -split ':::', 2
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    }
    finally {
        Remove-Item Env:_ORDO_COMPLETE, Env:_TYPER_COMPLETE_ARGS, Env:_TYPER_COMPLETE_WORD_TO_COMPLETE
    }
}
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH, "pwsh": POWERSHELL}
FILES = {"bash": "ordo.bash", "zsh": "_ordo", "fish": "ordo.fish", "pwsh": "ordo.ps1"}
