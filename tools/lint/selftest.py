# SPDX-License-Identifier: GPL-2.0-or-later
"""Planted violations: what each check must find, and what it must let pass.

PLANTED: check -> list of (files, what the finding says), None where nothing may be found.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile

from tree import Tree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOP = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n/*\n * A file.\n */\n"
NOT_BUILT = "src/common/forgotten_test.c"
FILLER = "    a++;\n"


def function(lines):
    """A function of that many lines."""
    return "int f(int a)\n{\n" + FILLER * (lines - 4) + "    return a;\n}\n"


def nest(depth):
    """A function whose blocks nest that deep."""
    return ("int f(int a)\n{\n" + "if (a) {\n" * depth + "a++;\n" + "}\n" * depth +
            "    struct S s = { .x = { 1 } };\n    return a;\n}\n")


PLANTED = {
    "format": [({"src/common/a.c": TOP + "int  f( void ){return 1;}\n"}, "clang-format"),
               ({"src/common/a.c": TOP + "int f(void);\n"}, None)],
    "spdx": [({"src/common/a.c": "/* A file. */\n"}, "no SPDX"),
             ({"tools/thing": "#!/bin/sh\necho hello\n"}, "no SPDX"),
             ({"src/common/a.c": TOP}, None)],
    "head": [({"src/common/a.c": TOP.splitlines()[0] + "\n#include <glib.h>\n\nint a;\n"},
              "says what"),
             ({"src/common/a.h": TOP}, "pragma once"),
             ({"src/common/a.h": TOP + "#pragma once\n"}, None)],
    "comments": [({"src/common/a.c": TOP + "int a; // note\n"}, "// comments"),
                 ({"src/common/a.c": TOP + "int a;" + " " * 100 + "\n"}, "100 columns"),
                 ({"src/common/a.c": TOP + 'char *a = "http://x"; /* http://y */\n'}, None)],
    "exit": [({"src/vm/a.c": TOP + "void f(void)\n{\n    exit(1);\n}\n"}, "calls exit"),
             ({"src/vm/main.c": TOP + "void f(void)\n{\n    exit(1);\n}\n",
               "src/vm/b.c": TOP + 'void g(T *t)\n{\n    t->exit(1); /* exit(1) */\n    _exit(1);\n}\n'},
              None)],
    "shell": [({"tools/a.sh": "#!/bin/sh\nrm $1\n"}, "Double quote"),
              ({"tools/a.sh": "#!/bin/sh\nrm \"$1\"\n"}, None)],
    "registered": [({"src/common/a_test.c": TOP, NOT_BUILT: TOP}, "never runs"),
                   ({"src/common/a_test.c": TOP}, None)],
    "layers": [({"src/common/a.c": '#include "memory/m.h"\n', "src/memory/m.h": ""}, "stands below"),
               ({"src/config/a.c": '#include "memory/m.h"\n', "src/memory/m.h": ""}, "stands below"),
               ({"src/odd/a.c": ""}, "has no level"),
               ({"src/common/a.c": '#include "b.h"\n', "src/common/b.h": ""}, "not a path"),
               ({"src/machine/device/a.c": '#include "engine/e.h"\n', "src/engine/e.h": ""},
                "only board/"),
               ({"src/machine/core/a.c": '#include "machine/device/b.h"\n',
                 "src/machine/device/b.h": ""}, "stands below"),
               ({"src/cli/a.c": '#include "vm/b.h"\n', "src/vm/b.h": ""}, "sees only"),
               ({"src/engine/kvm/a.c": '#include "engine/dbt/b.h"\n', "src/engine/dbt/b.h": ""},
                "must not see"),
               ({"src/engine/dbt/ir/a.c": '#include "engine/x86/b.h"\n', "src/engine/x86/b.h": ""},
                "no guest header"),
               ({"src/engine/dbt/run/a.c": "struct X86Vcpu;\n"}, "names a guest"),
               ({"src/engine/dbt/ir/a.c": "int guest_cr3;\n"}, "names a guest (guest_cr3)"),
               ({"src/engine/dbt/host/interp/a.c": "int a = saveEflags(1);\n"}, "names a guest"),
               ({"src/engine/dbt/run/a.h": "typedef struct A { int rax; } A;\n"}, "names a guest"),
               ({"src/engine/dbt/host/x86_64/a.c": "int lapic_id;\n"}, "names a guest"),
               ({"src/engine/dbt/host/x86_64/a.c": "X86Cpu *cpu;\n"}, "names a guest"),
               ({"src/engine/dbt/host/x86_64/a.c": "int x86_helper_out(int a);\n"}, "names a guest"),
               ({"src/engine/dbt/host/x86_64/a.c": '#include "engine/dbt/guest/b.h"\n',
                 "src/engine/dbt/guest/b.h": ""}, "no guest header"),
               ({"src/engine/dbt/host/x86_64/a.c": "int x86_64_rax = RAX; /* cr3 */\n",
                 "src/engine/dbt/run/a.c": "int script, scroll; /* rax */\n"}, None),
               ({"src/machine/board/a.c": '#include "engine/e.h"\n', "src/engine/e.h": "",
                 "src/engine/dbt/ir/b.c": "/* as on x86 */\n"}, None)],
    "functions": [({"src/common/a.c": TOP + function(101)}, "101 lines"),
                  ({"src/common/a.c": TOP + function(61) + "int a;\n" * 3000}, "1 of 1 exceed"),
                  ({"src/common/a.c": TOP + function(100)}, None)],
    "files": [({"src/common/a.c": "\n" * 1501}, "1501 lines"),
              ({"src/common/a.c": "\n" * 1500}, None)],
    "parameters": [({"src/common/a.c": "int f(int a, int b, int c, int d, int e, int g, int h, int i)\n"
                     "{\n}\n"}, "8 parameters"),
                   ({"src/common/a.c": "int f(int a, int b, int c, int d, int e, int g)\n{\n}\n" +
                     "int a;\n" * 3000}, "1 of 1 exceed"),
                   ({"src/common/a.c": "int f(int a, int (*b)(int, int), int c, int d, int e)\n{\n}\n" +
                     "int a;\n" * 3000}, None)],
    "nesting": [({"src/common/a.c": nest(5)}, "5 deep"), ({"src/common/a.c": nest(4)}, None)],
    "macros": [({"src/common/a.c": "#define A(x) x\n" * 4}, "function-like"),
               ({"src/common/a.c": "#if A\n#endif\n" * 3}, "#if"),
               ({"src/common/a.c": "#define A(x) x\n#define B 1\n#if A\n#endif\n"}, None)],
    "state": [({"src/common/a.c": "int f(void)\n{\n    static int n;\n    return n++;\n}\n"},
               "n is a mutable variable"),
              ({"src/common/a.c": "static int state = 1;\nint *f(void)\n{\n    return &state;\n}\n"},
               "state is a mutable"),
              ({"src/common/a.c": 'const char *const names[] = { "a", "b" };\n'}, None)],
    "tour": [({"docs/a.md": "see `common/a.c:gone`\n", "src/common/a.c": function(9)}, "no gone"),
             ({"docs/a.md": "see `src/common/b.c`\n"}, "no src/common/b.c"),
             ({"docs/a.md": "see [it](b.md)\n"}, "broken link"),
             ({"docs/a.md": "see `common/a.c:f`, [here](a.md)\n", "src/common/a.c": function(9)},
              None)],
    "readmes": [({"src/common/a.c": ""}, "README.md"),
                ({"src/common/a.c": "", "src/common/README.md": "\n" * 41}, "longer"),
                ({"src/common/x/a.c": "", "src/common/README.md": "\n"}, None)],
}


def compile_planted(root, files):
    """A build folder with an object of each C file, as meson would describe it."""
    build = os.path.join(root, "build")
    os.mkdir(build)
    commands = []
    for path in set(files) - {NOT_BUILT}:
        output = os.path.join(build, path.replace("/", "_") + ".o")
        subprocess.run(["gcc", "-O2", "-fPIE", "-c", os.path.join(root, path), "-o", output], check=True)
        commands.append({"directory": build, "file": os.path.join(root, path), "output": output})
    with open(os.path.join(build, "compile_commands.json"), "w", encoding="utf-8") as f:
        json.dump(commands, f)
    return build


def try_one(name, check, files, says):
    """What is wrong with the check's answer to these files, or None."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(os.path.join(ROOT, ".clang-format"), root)
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        build = compile_planted(root, files) if name in ("state", "registered") else None
        found = [f.text for f in check(Tree(root, build))]
    if says is None:
        return f"complains about what is right: {found[0]}" if found else None
    if not any(re.search(re.escape(says), text) for text in found):
        return f"does not find {says!r} planted in {', '.join(files)}; found {found}"
    return None


def try_check(name, check):
    """Everything that is wrong with a check; none may come without planted violations."""
    if name not in PLANTED:
        return ["nothing is planted for this check"]
    answers = (try_one(name, check, files, says) for files, says in PLANTED[name])
    return [answer for answer in answers if answer]
