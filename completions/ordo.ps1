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
