#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# /init of the test guest: a static busybox and a few kernel modules.  The kernel's command line
# says what to do:
#
#   insula.run=shell   a shell on the console
#   insula.run=tour    show the machine, write a disk and read it back (default)
#   insula.run=boot    only say that we are up
#   insula.run=test    check clocks, processors, memory, random numbers and the disk
#   insula.run=bench   rows of insbench, as tools/bench asks for them on the console
#   insula.seconds=N   how long 'test' watches the clocks (default 2)
#   insula.end=poweroff|reboot|crash|stay   how it ends (default poweroff)
#
# What programs read stands alone on a line and begins with INSULA-.
export PATH=/bin HOME=/root PS1='insula:\w# '
/bin/busybox mount -t proc proc /proc
read -r uptime _ </proc/uptime
echo "INSULA-INIT uptime=$uptime"
/bin/busybox --install -s /bin
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp

run=tour seconds=2 end=poweroff
read -r command_line </proc/cmdline
for word in $command_line; do
    case $word in
    insula.run=*) run=${word#*=} ;;
    insula.seconds=*) seconds=${word#*=} ;;
    insula.end=*) end=${word#*=} ;;
    esac
done

while read -r module; do
    insmod "/lib/modules/$module" || echo "INSULA-BAD module $module"
done </lib/modules/order

# disk: the first virtio disk, once it is there; fails after 5 s.
wait_for_disk() {
    tries=0
    while [ ! -b /dev/vda ]; do
        [ $tries -lt 50 ] || return 1
        tries=$((tries + 1))
        usleep 100000
    done
}

# have_rng: whether the machine offers random numbers.
have_rng() {
    ! grep -qx none /sys/class/misc/hw_random/rng_current
}

# disk_round_trip MIB: writes that much of noise to the disk at 1 MiB, forgets all caches, and
# compares what comes back.
disk_round_trip() {
    dd if=/dev/urandom of=/tmp/noise bs=1M count="$1" 2>/dev/null
    dd if=/tmp/noise of=/dev/vda bs=64k seek=16 conv=fsync 2>/dev/null || return 1
    echo 3 >/proc/sys/vm/drop_caches
    dd if=/dev/vda bs=64k skip=16 count=$((16 * $1)) 2>/dev/null | cmp - /tmp/noise
}

tour() {
    echo "tour: this is $(uname -srm)"
    echo "tour: $(grep -c ^processor /proc/cpuinfo) x$(sed -n 's/^model name.*://p;T;q' /proc/cpuinfo)"
    echo "tour: $(sed -n 's/^MemTotal: *//p' /proc/meminfo) of memory, $(sed -n 's/^MemFree: *//p' /proc/meminfo) of it free"
    echo "tour: clock source $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource), up $(cut -d' ' -f1 /proc/uptime) s"
    if have_rng; then
        echo "tour: 8 random bytes from the host: $(dd if=/dev/hwrng bs=8 count=1 2>/dev/null | hexdump -e '8/1 "%02x"')"
    fi
    if ! wait_for_disk; then
        echo 'tour: there is no disk'
    elif [ "$(cat /sys/block/vda/ro)" = 1 ]; then
        echo "tour: disk of $(($(cat /sys/block/vda/size) / 2048)) MiB, read-only"
    elif disk_round_trip 2; then
        echo "tour: disk of $(($(cat /sys/block/vda/size) / 2048)) MiB: wrote 2 MiB and read the same back"
        echo 'INSULA-DISK-OK'
    else
        echo 'INSULA-BAD disk'
    fi
    echo 'INSULA-TOUR-OK'
}

# check NAME COMMAND...: one line of outcome
check() {
    name=$1
    shift
    if "$@"; then echo "INSULA-GOOD $name"; else echo "INSULA-BAD $name"; fi
}
# The clock that interrupts drive and the one that is read must agree, and neither go back.
clocks_agree() {
    read -r before _ </proc/uptime
    last=$before steps=0
    end_at=$((${before%.*} + seconds))
    while [ "${last%.*}" -lt "$end_at" ]; do
        read -r now _ </proc/uptime
        [ "${now%.*}${now#*.}" -ge "${last%.*}${last#*.}" ] || return 1
        last=$now steps=$((steps + 1))
    done
    ticks=$(sed -n 's/^ *LOC: *\([0-9]*\).*/\1/p' /proc/interrupts)
    [ "$steps" -gt 1 ] && [ "${ticks:-0}" -gt 10 ]
}
# A sleep of the timer interrupt's must last as long as the clock says.
sleep_lasts() {
    read -r before _ </proc/uptime
    sleep 1
    read -r after _ </proc/uptime
    slept=$((${after%.*}${after#*.} - ${before%.*}${before#*.}))
    [ "$slept" -ge 99 ] && [ "$slept" -lt 400 ]
}
processors_work() {
    for n in $(seq 0 $(($(grep -c ^processor /proc/cpuinfo) - 1))); do
        [ "$(taskset $((1 << n)) sh -c 'seq 1 200 | md5sum')" = "$(seq 1 200 | md5sum)" ] || return 1
    done
}
memory_holds() {
    dd if=/dev/urandom of=/tmp/a bs=1M count=8 2>/dev/null
    cp /tmp/a /tmp/b && [ "$(sha256sum </tmp/a)" = "$(sha256sum </tmp/b)" ] && rm /tmp/a /tmp/b
}
# Floating point: awk counts in doubles.  This map is chaotic, so one wrong bit changes every digit.
arithmetic_is_right() {
    # shellcheck disable=SC2016
    map='BEGIN { x = 0.3; for (i = 0; i < 2000; i++) x = 3.9 * x * (1 - x); printf "%.15g", x }'
    [ "$(awk "$map")" = 0.890862283252173 ]
}
# A warning that the kernel gives about itself names the CPU; what it says about flaws of the real CPU
# (such as SRSO) has no place here.
kernel_is_content() {
    ! dmesg | grep -E 'WARNING: CPU:|BUG:|Oops|unable to handle|soft lockup|rcu.*stall|clocksource.*unstable'
}
test_all() {
    check clocks clocks_agree
    check sleep sleep_lasts
    check processors processors_work
    check memory memory_holds
    check arithmetic arithmetic_is_right
    ! have_rng || check random dd if=/dev/hwrng of=/dev/null bs=64 count=4
    ! wait_for_disk || check disk disk_round_trip 4
    check kernel kernel_is_content
    echo 'INSULA-TEST-OK'
}

case $run in
shell)
    echo 'A shell in the guest.  "poweroff -f" ends it.'
    setsid cttyhack sh -l
    ;;
tour) tour ;;
boot) echo 'INSULA-BOOT-OK' ;;
test) test_all ;;
bench)
    stty -echo
    insbench -serve
    ;;
*) echo "INSULA-BAD unknown insula.run=$run" ;;
esac
echo 'INSULA-DONE'
case $end in
reboot) reboot -f ;;
crash) echo c >/proc/sysrq-trigger ;;
stay) sleep 1000000 ;;
*) poweroff -f ;;
esac
