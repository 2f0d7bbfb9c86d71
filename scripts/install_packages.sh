#!/usr/bin/env bash
# Installs the Debian packages that addend is built with. Asks for nothing; does nothing when all are there.
#   scripts/install_packages.sh          what a build needs
#   scripts/install_packages.sh --package   also what `cpack -G DEB` needs
#   scripts/install_packages.sh --test   also what the tests and checks of scripts/test.sh need
#   scripts/install_packages.sh --print-libraries   installs nothing: the libraries that a build links
set -euo pipefail
libraries=(libopenblas-dev nlohmann-json3-dev libcli11-dev libpcre2-dev libutf8proc-dev libxxhash-dev libedit-dev
           libcpp-httplib-dev)
[ "${1:-}" != --print-libraries ] || { echo "${libraries[@]}"; exit; }
packages=(cmake g++ ninja-build pkg-config "${libraries[@]}" python3 python3-pip unzip)
if [ "${1:-}" = --package ] || [ "${1:-}" = --test ]; then
  packages+=(dpkg-dev file)
fi
if [ "${1:-}" = --test ]; then
  packages+=(clang-16 clang-format-16 clang-tidy-16 libclang-rt-16-dev libgtest-dev libgmock-dev libbenchmark-dev ccache npm
             zsh man-db mandoc lintian python3-venv chromium fonts-dejavu-core g++-aarch64-linux-gnu qemu-user)
fi

missing=()
for package in "${packages[@]}"; do
  case $package in  # a newer tool from elsewhere will do
    cmake) command -v cmake >/dev/null && continue ;;
    npm) command -v npm >/dev/null && continue ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
    python3-venv) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 && continue ;;
  esac
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -q update >&2
"${as_root[@]}" apt-get -q install -y --no-install-recommends "${missing[@]}" >&2
