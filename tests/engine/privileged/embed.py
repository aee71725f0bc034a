#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write a header that defines each kernel image as an array: embed.py OUT NAME FILE..."""

import sys


def main():
    out, pairs = sys.argv[1], sys.argv[2:]
    lines = ["/* made by embed.py */", "#pragma once", "#include <stdint.h>"]
    for name, path in zip(pairs[::2], pairs[1::2]):
        with open(path, "rb") as file:
            data = file.read()
        lines.append(f"static const uint8_t {name}_image[] = {{")
        for i in range(0, len(data), 16):
            lines.append(",".join(str(byte) for byte in data[i : i + 16]) + ",")
        lines.append("};")
    with open(out, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


main()
