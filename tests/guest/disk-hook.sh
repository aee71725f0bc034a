#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# disk-hook ROOT: makes the file tree that mmdebstrap has set up the system of the test disk.
#
# Root has no password on the serial port and by ssh.  When all is up it says INSULA-DISK-UP there;
# with insula.end=poweroff on the kernel's command line it then ends.  GRUB's images for BIOS and
# UEFI are made here, with this system's GRUB, for tools/fixtures to place.
set -eu
r=$1

echo insula >"$r/etc/hostname"
echo '127.0.0.1 localhost insula' >"$r/etc/hosts"
chroot "$r" passwd -qd root

getty=$r/etc/systemd/system/serial-getty@.service.d
mkdir -p "$getty" "$r/etc/ssh/sshd_config.d"
cat >"$getty/insula.conf" <<'UNIT'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 %I $TERM
UNIT
cat >"$r/etc/ssh/sshd_config.d/insula.conf" <<'CONF'
PermitRootLogin yes
PermitEmptyPasswords yes
UsePAM no
CONF
cat >"$r/etc/systemd/network/80-insula.network" <<'CONF'
[Match]
Name=en* eth*
[Network]
DHCP=yes
CONF
cat >"$r/etc/systemd/system/insula-mark.service" <<'UNIT'
[Unit]
Description=Say that the system is up
After=ssh.service systemd-user-sessions.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo INSULA-DISK-UP >/dev/console; if grep -q insula.end=poweroff /proc/cmdline; then systemctl poweroff; fi'
[Install]
WantedBy=multi-user.target
UNIT
# what only costs a first boot its time
chroot "$r" systemctl -q mask e2scrub_reap.service grub-common.service ldconfig.service \
    systemd-update-done.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer fstrim.timer
chroot "$r" systemctl -q enable systemd-networkd insula-mark.service serial-getty@ttyS0.service
echo 'LABEL=insula / ext4 errors=remount-ro 0 1' >"$r/etc/fstab"

cd "$r"
for file in boot/vmlinuz-* boot/initrd.img-*; do
    ln -sf "${file#boot/}" "${file%%-*}"
done
mkdir -p boot/grub
# insula_args: what a test adds, by a variable of GRUB's
cat >boot/grub/grub.cfg <<'CONF'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
search --no-floppy --label insula --set=root
set timeout=0
menuentry insula {
    linux /boot/vmlinuz root=LABEL=insula console=ttyS0 $insula_args
    initrd /boot/initrd.img
}
CONF
cat >boot/grub/early.cfg <<'CONF'
search --no-floppy --label insula --set=root
set prefix=($root)/boot/grub
configfile /boot/grub/grub.cfg
CONF
modules='part_msdos ext2 fat normal linux serial terminal configfile search search_label echo test boot minicmd'
# shellcheck disable=SC2086
chroot "$r" grub-mkimage -O i386-pc -c /boot/grub/early.cfg -p '(hd0,msdos1)/boot/grub' \
    -o /boot/grub/core.img biosdisk $modules
# shellcheck disable=SC2086
chroot "$r" grub-mkimage -O x86_64-efi -c /boot/grub/early.cfg -p /boot/grub \
    -o /boot/grub/bootx64.efi $modules
cp usr/lib/grub/i386-pc/boot.img boot/grub/boot.img
rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/doc usr/share/man usr/share/locale usr/lib/grub
