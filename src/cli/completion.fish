# SPDX-License-Identifier: MIT
# Completion of stickyctl for fish:   stickyctl completion fish | source
# The words come from the program itself: see src/cli/completion.c.

function __stickyctl_words
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l prefix (string match -r -- '^--[^=]*=' "$current")
    set -l value (string replace -r -- '^--[^=]*=' '' "$current")
    for line in ($words[1] complete-words $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files*'
                __fish_complete_path "$value" | string replace -r -- '^' "$prefix"
            case ':dirs*'
                __fish_complete_directories "$value" '' | string replace -r -- '^' "$prefix"
            case ':users*'
                __fish_complete_users | string replace -r -- '^' "$prefix"
            case ':commands*'
                __fish_complete_command
            case '*'
                printf '%s%s\n' "$prefix" $line
        end
    end
end

complete -c stickyctl -f -a '(__stickyctl_words)'
