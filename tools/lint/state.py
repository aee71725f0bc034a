# SPDX-License-Identifier: GPL-2.0-or-later
"""Check of state: nothing that can change lives outside a struct."""
import os
import re

from tree import Finding

# What the compiler and GLib's macros put there for themselves.
OURS_NOT = re.compile(r"^(__|\.L|\.LC|_G_|g_define_type_id)|^completed\.")


def symbols(tree, built):
    """(name, section) of the data symbols in an object file."""
    _, output = tree.run("nm", "--format=sysv", built)
    for line in output.splitlines():
        columns = [c.strip() for c in line.split("|")]
        if len(columns) == 7 and columns[3] in ("OBJECT", "TLS"):
            yield columns[0], columns[6]


def state(tree):
    """No variable of a file or of a function outlives its call: state hangs off a Machine or a Vm."""
    found = []
    for source, built in tree.objects():
        if not os.path.exists(built):
            found.append(Finding(source, 1, "", "has not been built"))
            continue
        for name, section in symbols(tree, built):
            changes = re.match(r"\.(data|bss|tbss|tdata)\b(?!\.rel\.ro)|\*COM\*", section)
            if changes and not OURS_NOT.match(name):
                plain = re.sub(r"\.\d+$", "", name)
                found.append(Finding(source, 1, plain, f"{plain} is a mutable variable in {section}"))
    return found
