# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a C file that holds a text: embed.py FILE NAME > NAME.c"""
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    lines = file.read().splitlines()
name = sys.argv[2]
print(f'/* Made by embed.py. */\n#include "manager/{name}.h"\n\nconst char {name}_text[] =')
for line in lines:
    quoted = line.replace("\\", "\\\\").replace('"', '\\"')
    print(f'    "{quoted}\\n"')
print("    ;")
