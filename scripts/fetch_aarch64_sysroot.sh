#!/usr/bin/env bash
# Unpacks Debian's arm64 packages that addend is built with into a folder, beside the machine's own packages and without
# root: what the preset aarch64 compiles against, and what qemu-aarch64 finds the libraries in. Does nothing when
# that folder is there. Needs apt-get with Debian's sources.
#   scripts/fetch_aarch64_sysroot.sh [FOLDER]    default: build/aarch64-sysroot, as in CMakePresets.json
set -euo pipefail
cd "$(dirname "$0")/.."
sysroot=${1:-build/aarch64-sysroot}
[ ! -e "$sysroot" ] || exit 0
packages=(libc6-dev libstdc++6 libopenblas-dev nlohmann-json3-dev libcli11-dev libpcre2-dev libutf8proc-dev
          libxxhash-dev libgtest-dev libgmock-dev)

mkdir -p "$(dirname "$sysroot")"
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
mv "$work/tree" "$sysroot"
