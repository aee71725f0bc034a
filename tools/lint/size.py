# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of size: functions, files, parameters, nesting, macros, conditional code."""
import re

from tree import Finding

FUNCTION_EXPECTED, FUNCTION_HARD = 60, 100
FUNCTION_SHARE = 5       # per cent of functions that may lie between the two
FILE_EXPECTED, FILE_HARD = 800, 1500
FILE_SHARE = 10          # per cent of .c files that may lie between the two
PARAMETERS, PARAMETERS_HARD = 5, 7
PARAMETER_SHARE = 2      # per cent of functions that may lie between the two
NESTING = 4
MACROS_PER_KSLOC, IFS_PER_KSLOC = 3, 2
SMALL_TREE = 3           # KSLOC: shares mean little below


def share(tree, long, of, per_cent, what):
    """One finding when more than @per_cent of @of are in @long."""
    if tree_ksloc(tree) < SMALL_TREE or len(long) * 100 <= per_cent * of:
        return []
    longest = ", ".join(f"{path}:{name} {lines}" for lines, path, name in sorted(long)[::-1][:5])
    return [Finding("src", 1, what, f"{what}: {len(long)} of {of} exceed what is expected, more than"
                                    f" {per_cent} %: {longest} …")]


def tree_ksloc(tree):
    return sum(tree.sloc(p) for p in tree.matching(r"^src/.*\.[ch]$")) / 1000


def functions(tree):
    """A function has at most 100 lines, and few have more than 60."""
    found, long = [], []
    for f in tree.functions:
        lines = f.end - f.line + 1
        if lines > FUNCTION_HARD:
            found.append(Finding(f.path, f.line, f.name,
                                 f"{f.name} has {lines} lines, more than {FUNCTION_HARD}"))
        elif lines > FUNCTION_EXPECTED:
            long.append((lines, f.path, f.name))
    return found + share(tree, long, len(tree.functions), FUNCTION_SHARE, "functions")


def files(tree):
    """A file has at most 1500 lines, and few have more than 800."""
    found, long = [], []
    for path in tree.c_files:
        lines = tree.text(path).count("\n")
        if lines > FILE_HARD:
            found.append(Finding(path, lines, "", f"{lines} lines, more than {FILE_HARD}"))
        elif lines > FILE_EXPECTED:
            long.append((lines, path, ""))
    return found + share(tree, long, len(tree.c_files), FILE_SHARE, "files")


def count_parameters(signature):
    inner = signature.strip()[1:-1].strip()
    if inner in ("", "void"):
        return 0
    depth = commas = 0
    for c in inner:
        depth += c in "([{"
        depth -= c in ")]}"
        commas += c == "," and depth == 0
    return commas + 1


def parameters(tree):
    """A function takes at most 7 parameters, and few take more than 5."""
    found, long = [], []
    for f in tree.functions:
        takes = count_parameters(f.signature)
        if takes > PARAMETERS_HARD:
            found.append(Finding(f.path, f.line, f.name, f"{f.name} takes {takes} parameters"))
        elif takes > PARAMETERS:
            long.append((takes, f.path, f.name))
    return found + share(tree, long, len(tree.functions), PARAMETER_SHARE, "parameters")


def depth_of(code):
    """How deep blocks nest in a function's text: braces behind ')', 'else' or 'do' open one."""
    deepest = depth = 0
    stack = []
    for token in re.finditer(r"[{}]", code):
        if token[0] == "}":
            if stack:
                depth -= stack.pop()
            continue
        before = code[:token.start()].rstrip()
        block = bool(re.search(r"(\)|\belse|\bdo)$", before)) and not re.search(
            r"(=|,|\breturn|[({&])\s*\([^()]*\)$", before)
        stack.append(block)
        depth += block
        deepest = max(deepest, depth)
    return deepest


def nesting(tree):
    """Blocks nest at most 4 deep inside a function."""
    found = []
    for f in tree.functions:
        body = "\n".join(tree.code(f.path).splitlines()[f.line - 1:f.end])
        depth = depth_of(body) - 1
        if depth > NESTING:
            found.append(Finding(f.path, f.line, f.name, f"{f.name} nests {depth} deep"))
    return found


def macros(tree):
    """Function-like macros and #if stay rare: 3 and 2 per thousand lines of code."""
    found = []
    paths = tree.matching(r"^src/.*\.([ch]|def)$")
    ksloc = max(sum(tree.sloc(p) for p in paths) / 1000, 1)
    for what, pattern, limit in (
            ("function-like macros", r"^[ \t]*#[ \t]*define[ \t]+\w+\(", MACROS_PER_KSLOC),
            ("#if", r"^[ \t]*#[ \t]*if(def|ndef)?\b", IFS_PER_KSLOC)):
        counts = {p: len(re.findall(pattern, tree.code(p), re.M)) for p in paths}
        total = sum(counts.values())
        if total > limit * ksloc:
            most = sorted(counts, key=counts.get)[::-1][:5]
            listed = ", ".join(f"{p} {counts[p]}" for p in most)
            found.append(Finding("src", 1, what, f"{total} {what} in {ksloc:.1f} thousand lines,"
                                                 f" more than {limit} each: {listed}"))
    return found
