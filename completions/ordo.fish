# Completion of ordo for fish. Put this file into ~/.config/fish/completions.
function __ordo_completion
    set -lx _ORDO_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    command ordo 2>/dev/null
end

complete --command ordo --no-files --arguments "(__ordo_completion)"
complete --command ordo --force-files \
    --condition "__fish_seen_subcommand_from batch; and __fish_seen_subcommand_from check run"
