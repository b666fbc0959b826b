#!/bin/bash
# Boots Debian in a virtual machine, installs the package there and tries the units and the image as an operator
# would: systemd 252 itself confines, watches, reloads, drains and restarts; podman runs the image.
#
#   boot.sh FOLDER     a folder with one bifrost_*.deb and one bifrost_*.oci.tar, such as `make release` makes
#
# The system is made once and kept in the cache folder; a run's changes to it are thrown away. The processor is
# emulated, which works on every machine; KVM=1 takes /dev/kvm, which is ten times as fast.
set -eu -o pipefail

here="$(cd "$(dirname "$0")" && pwd)"
cache="${BIFROST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bifrost}"
packages="${1:?"usage: boot.sh FOLDER, with the package and the image that \`make release\` makes"}"

refuse() {
  echo "boot: $1" >&2
  exit 3
}

missing=()
command -v debootstrap >/dev/null || missing+=(debootstrap)
command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
if [ "${#missing[@]}" -gt 0 ]; then
  [ "$(id -u)" = 0 ] || refuse "install ${missing[*]}"
  echo "boot: installing ${missing[*]}"
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"; } \
    >"${TMPDIR:-/tmp}/bifrost-apt.log" 2>&1 || refuse "install ${missing[*]}: apt-get failed, see ${TMPDIR:-/tmp}/bifrost-apt.log"
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# The system: what Debian calls minimal, a kernel, and what the package and the trial need.
include=systemd,systemd-sysv,udev,dbus,iproute2,curl,procps,kmod,initramfs-tools,linux-image-cloud-amd64
include+=,init-system-helpers,podman,crun,netavark,fuse-overlayfs
system="$cache/boot-$(sha256sum <"$0" | cut -c1-12)"
if [ ! -e "$system/root.ext4" ]; then
  [ "$(id -u)" = 0 ] || refuse "making a system needs root: run this once as root"
  echo "boot: making a system of Debian 12, once"
  root="$work/root"
  debootstrap --variant=minbase --include="$include" bookworm "$root" >"$cache/boot.log" 2>&1 \
    || refuse "debootstrap failed, see $cache/boot.log"
  printf '/dev/vda / ext4 defaults 0 1\n' >"$root/etc/fstab"
  printf 'boot\n' >"$root/etc/hostname"
  cat >"$root/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
Description=The trial
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mkdir -p /trial && tar -xf /dev/vdb -C /trial && exec bash /trial/inside.sh'
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=file:/dev/ttyS1
StandardError=inherit
Environment=HOME=/root TERM=dumb

[Install]
WantedBy=default.target
UNIT
  mkdir -p "$root/etc/systemd/system/default.target.wants" "$system"
  ln -s /etc/systemd/system/trial.service "$root/etc/systemd/system/default.target.wants/"
  cp "$root"/boot/vmlinuz-* "$system/kernel"
  cp "$root"/boot/initrd.img-* "$system/initrd"
  truncate -s 3G "$work/root.ext4"
  mkfs.ext4 -q -d "$root" "$work/root.ext4"
  cp --sparse=always "$work/root.ext4" "$system/root.ext4.new"
  mv "$system/root.ext4.new" "$system/root.ext4"
  rm -rf "$root" "$work/root.ext4"
fi

mkdir "$work/trial"
shopt -s nullglob
for kind in deb oci.tar; do
  found=("$packages"/bifrost_*."$kind")
  [ "${#found[@]}" = 1 ] || refuse "$packages has ${#found[@]} files bifrost_*.$kind, not one: make release"
  cp "${found[0]}" "$work/trial/bifrost.$kind"
done
cp "$here/inside.sh" "$work/trial/"
tar -cf "$work/trial.tar" -C "$work/trial" .

processor=(-accel tcg,thread=multi -cpu max)
[ -z "${KVM:-}" ] || processor=(-accel kvm -cpu host)
# Forty minutes are for a slow machine that emulates.
timeout 2400 qemu-system-x86_64 "${processor[@]}" -m 3072 -smp 2 -nographic -nodefaults -no-reboot -nic none \
  -kernel "$system/kernel" -initrd "$system/initrd" -append 'root=/dev/vda rw console=ttyS0 quiet' \
  -drive "file=$system/root.ext4,format=raw,if=virtio,snapshot=on" \
  -drive "file=$work/trial.tar,format=raw,if=virtio,readonly=on" \
  -serial "file:$work/console.log" -serial stdio 2>"$work/qemu.log" </dev/null | stdbuf -oL tr -d '\r' | tee "$work/trial.log" || true
if ! grep -q '^boot: all [0-9]* claims hold$' "$work/trial.log"; then
  tail -n 20 "$work/console.log" "$work/qemu.log" >&2
  echo 'boot: not every claim holds' >&2
  exit 1
fi
