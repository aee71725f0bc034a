# SPDX-License-Identifier: GPL-2.0-or-later
"""Check of documents: what they name exists."""
import os
import re

from tree import Finding


def resolve(tree, folder, path):
    """The file or folder that a document in @folder means by @path, or None."""
    for start in ("", "src", folder):
        candidate = os.path.normpath(os.path.join(start, path))
        if os.path.exists(os.path.join(tree.root, candidate)):
            return candidate
    return None


def tour(tree):
    """Each `file:function`, each `path/` of ours and each link in a document exists."""
    defined = {(f.path, f.name) for f in tree.functions}
    found = []
    for path in tree.matching(r"\.md$"):
        folder = os.path.dirname(path)
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for file, name in re.findall(r"`([\w./-]+\.[ch]):(\w+)(?:\(\))?`", line):
                real = resolve(tree, folder, file)
                if (real, name) not in defined:
                    found.append(Finding(path, number, name, f"there is no {name}() in {file}"))
            for named in re.findall(r"`((?:src|tests|tools|docs|completions)/[\w./-]*)`", line):
                if not resolve(tree, folder, named):
                    found.append(Finding(path, number, named, f"there is no {named}"))
            for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
                if not resolve(tree, folder, link):
                    found.append(Finding(path, number, link, f"broken link to {link}"))
    return found


def readmes(tree):
    """Each folder with code under src/ has a README of at most 40 lines."""
    found = []
    for folder in sorted({os.path.dirname(p) for p in tree.matching(r"^src/[^/]+/.*\.c$")}):
        own = folder
        while own != "src" and os.path.join(own, "README.md") not in tree.files:
            own = os.path.dirname(own)
        readme = os.path.join(own, "README.md")
        if own == "src":
            found.append(Finding(folder, 1, "", "neither it nor a folder above has a README.md"))
        elif tree.text(readme).count("\n") > 40:
            found.append(Finding(readme, 41, "", "longer than 40 lines"))
    return found
