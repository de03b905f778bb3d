# SPDX-License-Identifier: MIT
# Completion of stickyctl for bash:   eval "$(stickyctl completion bash)"
# The words come from the program itself: see src/cli/completion.c.

# Add a word without the beginning that bash keeps. Where '=' or ':' separates words, bash replaces
# only the text behind the last one.
_stickyctl_add() {
    local word=$1 value=$2 hidden=
    [[ $COMP_WORDBREAKS == *:* && $value == *:* ]] && hidden=${value%"${value##*:}"}
    COMPREPLY+=("$prefix${word#"$hidden"}")
}

_stickyctl() {
    local line word value prefix=
    local -a words
    COMPREPLY=()
    line=${COMP_LINE:0:COMP_POINT}
    read -r -a words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    value=${words[-1]}
    if [[ $value == --*=* ]]; then
        [[ $COMP_WORDBREAKS == *=* ]] || prefix=${value%%=*}=
        value=${value#*=}
    fi
    while IFS=$'\t' read -r word _; do
        case $word in
        :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -P "$prefix" -f -- "$value") ;;
        :dirs) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -P "$prefix" -d -- "$value") ;;
        :users) mapfile -t COMPREPLY < <(compgen -P "$prefix" -u -- "$value") ;;
        :commands) mapfile -t COMPREPLY < <(compgen -c -- "$value") ;;
        *) _stickyctl_add "$word" "$value" ;;
        esac
    done < <("${words[0]}" complete-words "${words[@]:1}" 2>/dev/null)
}

complete -F _stickyctl stickyctl
