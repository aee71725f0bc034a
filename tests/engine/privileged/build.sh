#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Build a test kernel: build.sh CC OBJCOPY BITS OUT SOURCE...
# One flat image, loaded and entered at 1 MiB.
set -eu
cc=$1 objcopy=$2 bits=$3 out=$4
shift 4
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-m$bits -std=gnu17 -O1 -ffreestanding -fno-stack-protector -mgeneral-regs-only -fno-pic
 -fno-pie -fno-toplevel-reorder -fno-asynchronous-unwind-tables -fcf-protection=none
 -Wall -Wextra -Werror -Wno-unused-parameter"
[ "$bits" = 32 ] || flags="$flags -mno-red-zone -mcmodel=small"
objects=
for source; do
	object=$work/$(basename "$source").o
	# shellcheck disable=SC2086
	"$cc" $flags -c "$source" -o "$object"
	objects="$objects $object"
done
# shellcheck disable=SC2086
"$cc" "-m$bits" -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
	-Wl,-z,noexecstack -T "$here/kernel.ld" -o "$work/kernel" $objects
"$objcopy" -O binary "$work/kernel" "$out"
