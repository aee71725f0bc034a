# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for insula, insula-vm and insula-disk: shows what "insula --complete" says.

function __insula_complete
    set -l typed (commandline -opc) (commandline -ct)
    set -l program $typed[1]
    set -e typed[1]
    switch $program
        case '*insula-vm'
            set program (string replace -r -- '-vm$' '' $program)
            set -p typed run
        case '*insula-disk'
            set program (string replace -r -- '-disk$' '' $program)
            set -p typed disk
    end
    for line in ($program --complete $typed 2>/dev/null)
        if test "$line" = :file
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end

complete -c insula -f -a '(__insula_complete)'
complete -c insula-vm -f -a '(__insula_complete)'
complete -c insula-disk -f -a '(__insula_complete)'
