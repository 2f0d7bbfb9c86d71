#!/usr/bin/env bash
# Unpacks Debian's arm64 packages of the libraries that addend links into build/aarch64-sysroot, beside the machine's
# own packages and without root: what the preset aarch64 (cmake/aarch64.cmake) compiles against, and where qemu-aarch64
# finds them. Does nothing when it has done so for the same packages. Needs apt-get with Debian's sources.
#   scripts/fetch_aarch64_sysroot.sh
set -euo pipefail
cd "$(dirname "$0")/.."
sysroot=build/aarch64-sysroot
read -ra libraries < <(scripts/install_packages.sh --print-libraries)
packages=(libc6-dev libstdc++6 "${libraries[@]}" libgtest-dev libgmock-dev)
[ "$(cat "$sysroot/packages" 2>/dev/null)" != "${packages[*]}" ] || exit 0

mkdir -p build
work=$(mktemp -d "$sysroot.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work"/{lists/partial,cache/archives/partial,tree}
touch "$work/status"
# An apt of its own: nothing is installed in it, so that the packages come with all that they depend on.
apt=(apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=
     -o Dir::State="$PWD/$work" -o Dir::State::status="$PWD/$work/status" -o Dir::Cache="$PWD/$work/cache")
"${apt[@]}" update >&2
"${apt[@]}" install -y --download-only --no-install-recommends "${packages[@]}" >&2
for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$work/tree"; done

# Links like /lib/aarch64-linux-gnu/libm.so.6 mean the sysroot's file.
find "$work/tree" -type l -lname '/*' -printf '%p %l\n' | while read -r link target; do
  ln -snf "$PWD/$sysroot$target" "$link"
done
echo "${packages[*]}" >"$work/tree/packages"
rm -rf "$sysroot"
mv "$work/tree" "$sysroot"
