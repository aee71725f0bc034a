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
#   insula.run=net     bring up the network, try what insula.try says, and serve the host
#   insula.run=bench   rows of insbench, as tools/bench asks for them on the console
#   insula.try=LIST    what 'net' tries: pairs of a test and its argument, KIND=ARGUMENT,...; see there
#   insula.seconds=N   how long 'test' watches the clocks (default 2)
#   insula.end=poweroff|reboot|crash|stay   how it ends (default poweroff)
#
# What programs read stands alone on a line and begins with INSULA-.
export PATH=/bin HOME=/root PS1='insula:\w# '

# udhcpc calls this file, too, with what happened, and the rest in variables.
if [ $$ -ne 1 ]; then
    if [ "$1" = bound ]; then
        # shellcheck disable=SC2154
        ip addr add "$ip/$mask" dev "$interface"
        # shellcheck disable=SC2154
        ip route add default via "$router"
        # shellcheck disable=SC2154
        for server in $dns; do
            echo "nameserver $server"
        done >/etc/resolv.conf
        echo "INSULA-LEASE $ip $router $dns" >/dev/console
    fi
    exit
fi

/bin/busybox mount -t proc proc /proc
read -r uptime _ </proc/uptime
echo "INSULA-INIT uptime=$uptime"
/bin/busybox --install -s /bin
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp

run=tour seconds=2 end=poweroff try=''
read -r command_line </proc/cmdline
for word in $command_line; do
    case $word in
    insula.run=*) run=${word#*=} ;;
    insula.seconds=*) seconds=${word#*=} ;;
    insula.end=*) end=${word#*=} ;;
    insula.try=*) try=${word#*=} ;;
    esac
done

# load FOLDER: the kernel modules there, in order.
load() {
    while read -r module; do
        insmod "$1/$module" || echo "INSULA-BAD module $module"
    done <"$1/order"
}
load /lib/modules

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

wait_for() { # TENTHS COMMAND...
    left=$1
    shift
    until "$@"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        usleep 100000
    done
}
has_card() {
    [ -e /sys/class/net/eth0 ]
}
# An address of the network's own IPv6 prefix, which is the guest's to use.
has_ipv6() {
    ip -6 addr show dev eth0 scope site | grep -v tentative | grep -q fec0
}
bring_up_network() {
    load /lib/modules/net
    mkdir -p /etc /www
    wait_for 50 has_card || return 1
    ip link set lo up
    ip link set eth0 up
    udhcpc -i eth0 -n -q -t 5 -s /init >/dev/null 2>&1
}
# Fetch what the argument says from http://ADDRESS/noise and compare it with its own sum.
fetch() {
    wget -q -T 20 -O /tmp/noise "http://$1/noise" && wget -q -T 20 -O /tmp/sum "http://$1/sum" &&
        [ "$(sha256sum </tmp/noise | cut -d' ' -f1)" = "$(cat /tmp/sum)" ]
}
send_noise() {
    dd if=/dev/urandom of=/tmp/noise bs=64k count=32 2>/dev/null
    { sha256sum </tmp/noise | cut -c1-64; cat /tmp/noise; } | nc -w 20 "${1%:*}" "${1##*:}" | grep -q thanks
}
cannot_connect() {
    ! echo | nc -w 3 "${1%:*}" "${1##*:}" >/dev/null 2>&1
}
cannot_ping() {
    ! ping -c 1 -W 2 "$1" >/dev/null
}
# try_all LIST: fetch=ADDRESS:PORT send=ADDRESS:PORT closed=ADDRESS:PORT name=NAME/ADDRESS
# ping=ADDRESS silent=ADDRESS ipv6= speed=ADDRESS:PORT:SECONDS
try_all() {
    for pair in $(echo "$1" | tr , ' '); do
        what=${pair#*=}
        case ${pair%%=*} in
        fetch) check "$pair" fetch "$what" ;;
        send) check "$pair" send_noise "$what" ;;
        closed) check "$pair" cannot_connect "$what" ;;
        name) check "$pair" sh -c "nslookup -type=a ${what%/*} | grep -q '^Address: ${what#*/}'" ;;
        ping) check "$pair" ping -q -c 2 -W 2 "$what" ;;
        silent) check "$pair" cannot_ping "$what" ;;
        speed) check "$pair" sh -c "netspeed measure $(echo "$what" | tr : ' ')" ;;
        ipv6) check "$pair" wait_for 80 has_ipv6 ;;
        *) echo "INSULA-BAD unknown test $pair" ;;
        esac
    done
}
# What the host finds here: a file over HTTP.
serve_host() {
    dd if=/dev/urandom of=/www/noise bs=64k count=48 2>/dev/null
    sha256sum </www/noise | cut -d' ' -f1 >/www/sum
    httpd -p 80 -h /www
    httpd -p '[::]:81' -h /www
}
net() {
    if bring_up_network; then
        try_all "$try"
        serve_host
        echo "INSULA-NET-READY $(ip -6 -o addr show dev eth0 scope site | sed -n 's/.*inet6 \([^/ ]*\).*/\1/p;q')"
        sleep 1000000 # the host ends us
    else
        echo 'INSULA-BAD network'
    fi
}

case $run in
shell)
    echo 'A shell in the guest.  "poweroff -f" ends it.'
    setsid cttyhack sh -l
    ;;
tour) tour ;;
boot) echo 'INSULA-BOOT-OK' ;;
test) test_all ;;
net) net ;;
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
