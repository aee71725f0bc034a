# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for insula, insula-vm and insula-disk: shows what "insula --complete" says.

_insula() {
    local program=$1 current=${COMP_WORDS[COMP_CWORD]} word
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}")

    case $1 in
    *insula-vm) program=${1%-vm} words=(run "${words[@]}") ;;
    *insula-disk) program=${1%-disk} words=(disk "${words[@]}") ;;
    esac
    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        if [[ $word == :file ]]; then
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
        else
            COMPREPLY+=("$word")
        fi
    done < <("$program" --complete "${words[@]}" 2>/dev/null)
}

complete -o filenames -F _insula insula insula-vm insula-disk
