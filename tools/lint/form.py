# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of form: format, first lines, headers, scripts, where exit() stands."""
import os
import re

from tree import Finding

SPDX = "SPDX-License-Identifier: GPL-2.0-or-later"


def format_(tree):
    """clang-format would change nothing."""
    first = {}
    if tree.c_files:
        _, output = tree.run("clang-format", "--dry-run", "--Werror", *tree.c_files)
        for path, line in re.findall(r"^([^\s:]+):(\d+):\d+: error", output, re.M):
            first.setdefault(path, line)
    return [Finding(path, line, "", "clang-format differs") for path, line in first.items()]


def spdx(tree):
    """The licence stands on line 1, or right behind what must stand there."""
    found = []
    kinds = r"(\.[chS]|\.def|\.py|\.sh|\.scd|meson\.build|meson_options\.txt|Makefile)$"
    for path in sorted(set(tree.matching(kinds)) | set(tree.scripts) |
                       set(tree.matching(r"^(tools|\.ci|completions)/[^.]*$"))):
        lines = tree.text(path).splitlines()
        first = 1 if lines and lines[0].startswith("#!") else 2 if path.endswith(".scd") else 0
        if len(lines) <= first or SPDX not in lines[first]:
            found.append(Finding(path, 1, "", "no SPDX line on top"))
    return found


def head(tree):
    """A C file says on top what it is; a header guards itself by #pragma once."""
    found = []
    for path in tree.c_files:
        lines = tree.text(path).splitlines()
        if len(lines) < 3 or not lines[1].startswith("/*") or not lines[2].startswith(" * "):
            found.append(Finding(path, 2, "", "no comment under the SPDX line that says what this is"))
        if path.endswith(".h") and "#pragma once" not in tree.text(path):
            found.append(Finding(path, 1, "", "no #pragma once"))
    return found


def comments(tree):
    """No // comments, no tabs, nothing beyond column 100."""
    found = []
    for path in tree.c_files:
        no_strings = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', '""', tree.text(path), flags=re.S)
        if "//" in no_strings:
            found.append(Finding(path, 1, "", "has // comments: they are for notes not yet committed"))
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if "\t" in line or len(line) > 100:
                found.append(Finding(path, number, "", "tab, or longer than 100 columns"))
    return found


def exits(tree):
    """exit() stands in main.c alone."""
    found = []
    for path in tree.matching(r"^src/.*\.[ch]$"):
        if os.path.basename(path) == "main.c":
            continue
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            if re.search(r"(?<![\w.>])exit\s*\(", line):
                found.append(Finding(path, number, "exit", "calls exit(): return an error instead"))
    return found


def shell(tree):
    """shellcheck has nothing to say."""
    found = []
    for path in tree.scripts:
        dialect = "bash" if re.match(r"#!.*bash|# bash completion", tree.text(path)) \
            or path.startswith("completions/") else "sh"
        status, output = tree.run("shellcheck", "-f", "gcc", "-s", dialect, path)
        if status:
            for line in output.splitlines():
                where = re.match(r"[^:]*:(\d+):\d+: (.*)", line)
                found.append(Finding(path, where[1] if where else 1, "", where[2] if where else line))
    return found


def registered(tree):
    """Every unit test and every fuzz target is built, or it would never run."""
    built = {source for source, _ in tree.compiled()}
    return [Finding(path, 1, "", "no meson.build builds this test, so it never runs")
            for path in tree.matching(r"^(src/.*_test|tests/fuzz/fuzz_[^/]*)\.c$")
            if path not in built]
