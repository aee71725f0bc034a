# SPDX-License-Identifier: GPL-2.0-or-later
"""The source tree as the checks see it: files, functions, code without comments.

A check is a function of a Tree that returns a list of Finding.
"""
import json
import os
import re
import subprocess
from collections import namedtuple
from functools import cached_property

Finding = namedtuple("Finding", "path line name text")
Function = namedtuple("Function", "path name line end signature")

SKIP = {".git", ".cache", "__pycache__"}


def blank(match):
    """What stands for a comment or a string: nothing but its line ends."""
    return re.sub(r"[^\n]", " ", match.group())


def code_only(text):
    """C with comments, strings and characters blanked; every line keeps its number."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


class Tree:
    """Files under @root; @build is the folder of a gcc build of it, or None."""

    def __init__(self, root, build=None):
        self.root = root
        self.build = build
        self.texts = {}

    @cached_property
    def files(self):
        """All files of the project, relative to the root, sorted."""
        found = []
        for folder, folders, names in os.walk(self.root):
            relative = os.path.relpath(folder, self.root)
            folders[:] = [f for f in folders
                          if f not in SKIP and not (relative == "." and f.startswith("build"))]
            found += [os.path.normpath(os.path.join(relative, n)) for n in names]
        return sorted(found)

    def matching(self, pattern):
        return [f for f in self.files if re.search(pattern, f)]

    @cached_property
    def c_files(self):
        return self.matching(r"^(src|tests)/.*\.[ch]$")

    @cached_property
    def scripts(self):
        """Shell scripts, by name or by first line."""
        return [f for f in self.matching(r"^(tools|tests|completions|\.ci)/")
                if f.endswith((".sh", ".bash")) or re.match(r"#!.*\b(sh|bash)\b", self.text(f))]

    def text(self, path):
        if path not in self.texts:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
                self.texts[path] = f.read()
        return self.texts[path]

    def code(self, path):
        key = path + "\0code"
        if key not in self.texts:
            self.texts[key] = code_only(self.text(path))
        return self.texts[key]

    def sloc(self, path):
        """Lines with code on them."""
        return sum(1 for line in self.code(path).splitlines() if line.strip())

    def run(self, *command, check=False):
        """Runs a tool in the root and returns (status, output with errors)."""
        done = subprocess.run(command, cwd=self.root, text=True, check=check,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    @cached_property
    def functions(self):
        """Every function of C files, by ctags."""
        if not self.c_files:
            return []
        _, output = self.run("ctags", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f",
                             "--fields=+neS", "--output-format=json", "-o", "-", *self.c_files)
        found = []
        for line in output.splitlines():
            tag = json.loads(line) if line.startswith("{") else {}
            if tag.get("_type") == "tag" and "end" in tag:
                found.append(Function(tag["path"], tag["name"], tag["line"], tag["end"],
                                      tag.get("signature", "()")))
        return found

    def compiled(self):
        """(source, object) of everything that the build compiles."""
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as f:
            commands = json.load(f)
        for command in commands:
            source = os.path.join(command["directory"], command["file"])
            yield (os.path.relpath(source, self.root),
                   os.path.join(command["directory"], command["output"]))

    def objects(self):
        """(source, object) of what the programs are made of: src/ without its unit tests."""
        return [(source, built) for source, built in self.compiled()
                if source.startswith("src/") and not source.endswith("_test.c")]
