#compdef insula insula-vm insula-disk
# SPDX-License-Identifier: GPL-2.0-or-later
# zsh completion for insula, insula-vm and insula-disk: shows what "insula --complete" says.

_insula() {
    local program=$words[1] line
    local -a typed offers
    typed=("${(@)words[2,CURRENT]}")

    case $program in
    *insula-vm) program=${program%-vm} typed=(run "${(@)typed}") ;;
    *insula-disk) program=${program%-disk} typed=(disk "${(@)typed}") ;;
    esac
    for line in "${(@f)$("$program" --complete "${(@)typed}" 2>/dev/null)}"; do
        if [[ $line == :file ]]; then
            _files
        elif [[ -n $line ]]; then
            offers+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#offers )) && _describe -t words word offers
}

_insula "$@"
