#compdef stickyctl
# SPDX-License-Identifier: MIT
# Completion of stickyctl for zsh:   source <(stickyctl completion zsh)
# The words come from the program itself: see src/cli/completion.c.

_stickyctl() {
    local line word text
    local -a lines described
    lines=("${(@f)$(${(Q)words[1]} complete-words "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    [[ $PREFIX == --*=* ]] && compset -P '--[^=]#='
    for line in $lines; do
        word=${line%%$'\t'*}
        text=${line#*$'\t'}
        case $word in
        :files) _files; return ;;
        :dirs) _files -/; return ;;
        :users) _users; return ;;
        :commands) _command_names -e; return ;;
        *) described+=("${word//:/\\:}${text:+:$text}") ;;
        esac
    done
    _describe -V 'stickyctl' described
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _stickyctl "$@"
else
    compdef _stickyctl stickyctl
fi
