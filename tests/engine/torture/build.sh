#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Build the torture guest: build.sh CC OBJCOPY OUT SOURCE...
# One flat image, loaded and entered at 2 MiB.
set -eu
cc=$1 objcopy=$2 out=$3
shift 3
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-m64 -std=gnu17 -O1 -ffreestanding -fno-stack-protector -fno-pic -fno-pie -masm=intel
 -fno-asynchronous-unwind-tables -fcf-protection=none -mno-red-zone -mcmodel=small -mcx16
 -fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -Wno-unused-parameter"
objects=
for source; do
	object=$work/$(basename "$source").o
	registers=-mgeneral-regs-only
	[ "$(basename "$source")" != work.c ] || registers=
	# shellcheck disable=SC2086
	"$cc" $flags $registers -c "$source" -o "$object"
	objects="$objects $object"
done
# shellcheck disable=SC2086
"$cc" -m64 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
	-Wl,-z,noexecstack -T "$here/link.ld" -o "$work/guest" $objects
"$objcopy" -O binary "$work/guest" "$out"
