# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the scripts share; sourced, never run. Goes to the root of the source tree.
set -euo pipefail
# shellcheck disable=SC2034  # the scripts that take paths need it
started_in=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '==> %s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# need_packages [COMMAND:]PACKAGE...: installs the Debian packages that are missing; one whose COMMAND is there is not.
need_packages() {
  local wanted package missing=() as_root=()
  for wanted in "$@"; do
    package=${wanted#*:}
    if [[ $wanted == *:* ]] && command -v "${wanted%%:*}" >/dev/null; then continue; fi
    if [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == "install ok installed" ]]; then continue; fi
    missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return; fi

  if ! command -v apt-get >/dev/null; then
    say "no apt-get here; the equivalents of these Debian packages must be installed already: ${missing[*]}"
    return
  fi
  if (($(id -u) != 0)); then
    command -v sudo >/dev/null || die "please install as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq || die "apt-get update failed; these packages are missing: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "could not install ${missing[*]}"
}

# jobs_here: compilers to run at once: one a core, and 2 GB of free memory for each.
jobs_here() {
  local cores by_memory
  cores=$(nproc)
  by_memory=$(awk '/^MemAvailable:/ {print int($2 / 2000000)}' /proc/meminfo 2>/dev/null || true)
  by_memory=${by_memory:-$cores}
  if ((by_memory < 1)); then by_memory=1; fi
  echo $((by_memory < cores ? by_memory : cores))
}
