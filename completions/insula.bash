# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for insula, insula-vm and insula-disk.  The build puts the table of options in.

_insula_run_options() {
    # option -> words that may follow; "-": it takes no value; "": any
    # shellcheck disable=SC2190
    local -A values=(
        @OPTIONS@
    )
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local words=${values[$previous]-no option}

    if [[ $words != - && $words != 'no option' ]]; then
        case $words in
        '<file>') mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
        esac
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "${!values[*]}" -- "$current")
}

_insula_disk_options() {
    # shellcheck disable=SC2190
    local -A values=(
        @DISK_OPTIONS@
    )
    local first=1
    [[ ${COMP_WORDS[0]} != insula ]] || first=2
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local words=${values[$previous]-no option}

    if ((COMP_CWORD == first)); then
        mapfile -t COMPREPLY < <(compgen -W '@DISK_VERBS@' -- "$current")
    elif [[ $words != - && $words != 'no option' && $words != '<file>' ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${!values[*]}" -- "$current")
    elif ((COMP_CWORD == first + 1)) && [[ $previous == snapshot ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'list create delete apply' -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

_insula() {
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W '@VERBS@' -- "${COMP_WORDS[1]}")
    elif [[ ${COMP_WORDS[1]} == run ]]; then
        _insula_run_options
    elif [[ ${COMP_WORDS[1]} == disk ]]; then
        _insula_disk_options
    fi
}

complete -F _insula insula
complete -F _insula_run_options insula-vm
complete -F _insula_disk_options insula-disk
