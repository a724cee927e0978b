#!/usr/bin/env bash
# aarch64_root.sh FOLDER: Debian's libraries for arm64, unpacked into a folder, for a cross compiler (--sysroot) and for
# qemu-aarch64 (-L). Nothing is installed: libhdf5-dev and libgsl-dev of two architectures exclude each other. A folder that is
# whole is left as it is.
set -euo pipefail
root=$(realpath -m "$1")
[ -e "$root/whole" ] && exit 0
rm -rf "$root"
mkdir -p "$root"/apt/{state/lists/partial,cache/archives/partial}
: >"$root/apt/status"
cat >"$root/apt/conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
Dir::State "$root/apt/state";
Dir::State::status "$root/apt/status";
Dir::Cache "$root/apt/cache";
END
export APT_CONFIG=$root/apt/conf
apt-get update -qq
apt-get install -qq -y --download-only check libgomp1 libgsl-dev libhdf5-dev libpng-dev librandom123-dev libssl-dev zlib1g-dev
for package in "$root"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
# What update-alternatives would do.
ln -s hdf5-serial.pc "$root/usr/lib/aarch64-linux-gnu/pkgconfig/hdf5.pc"
rm -r "$root/apt"
touch "$root/whole"
