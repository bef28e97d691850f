#!/usr/bin/env bash
# Installs what nxdt needs and nothing that is there already. Idempotent: a second run takes about a second.
#
#   scripts/setup.sh            Debian's packages and .venv (enough to build and run)
#   scripts/setup.sh --test     the same and .venv-test (Python's torch and transformers, for the tests labelled python)
#   scripts/setup.sh --help
#
# Environment: NXDT_CMAKE_ARGS="-DMLIR_DIR=... -DNXDT_TORCH_DIR=... -DNXDT_ARROW_DIR=..." says where the dependencies
# lie on a machine without Debian's packages; Debian's packages are then left alone, and so is .venv where both
# NXDT_*_DIR are given.
set -euo pipefail

usage() { sed -n '2,/^set /p' "${BASH_SOURCE[0]}" | sed -e '/^set /d' -e 's/^# \{0,1\}//'; }

with_test_venv=0
for arg in "$@"; do
  case $arg in
  --test) with_test_venv=1 ;;
  -h | --help) usage; exit 0 ;;
  *) echo "error: unknown option '$arg' (scripts/setup.sh [--test])" >&2; exit 1 ;;
  esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cmake_args=${NXDT_CMAKE_ARGS:-}

say() { printf '[setup] %s\n' "$*"; }
fail() { printf 'error: %s\n' "$1" >&2; shift; for line in "$@"; do printf '       %s\n' "$line" >&2; done; exit 1; }

# One list, one place. The reasons for the pins: docs/Rationale.md.
debian_packages=(
  g++ cmake ninja-build ccache mold
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools
  libyaml-cpp-dev nlohmann-json3-dev zlib1g-dev
  libgtest-dev libgmock-dev clang-format-14
  python3-venv
)
# torch is used as a C++ library only, so its CUDA wheels (4 GB) stay out; these two are what libtorch_cpu.so itself links.
venv_no_deps=('torch==2.11.0' 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*' 'pyarrow==26.0.1' 'tokenizers==0.23.*')
test_venv=('torch==2.11.0' 'transformers==5.23.0' numpy safetensors omegaconf hydra-core tensorboard)

hints() {
  printf '%s\n' \
    "On another system install a C++20 compiler, cmake >= 3.25, ninja, yaml-cpp, nlohmann-json >= 3.11, zlib," \
    "GoogleTest, clang-format 14 and MLIR 22, and say where the pinned ones lie:" \
    "  export NXDT_CMAKE_ARGS='-DMLIR_DIR=<llvm 22>/lib/cmake/mlir -DNXDT_TORCH_DIR=<torch 2.11.0 wheel>/torch -DNXDT_ARROW_DIR=<pyarrow 26.0.1 wheel>/pyarrow'" \
    "Without the last two hints the wheels are installed from PyPI into .venv."
}

missing_packages() {
  local have
  # dpkg-query fails where it does not know one of them, and that is the case this is for.
  have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${debian_packages[@]}" 2>/dev/null || true)
  for p in "${debian_packages[@]}"; do
    grep -qxF "installed $p" <<<"$have" || echo "$p"
  done
}

install_debian_packages() {
  if [[ $cmake_args == *-DMLIR_DIR=* ]]; then
    say "Debian's packages: left alone (NXDT_CMAKE_ARGS gives MLIR_DIR)"
    return
  fi
  local lines=()
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    mapfile -t lines < <(hints)
    fail "this is not a Debian system, so its packages cannot be installed here" "${lines[@]}"
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "Debian's packages: all ${#debian_packages[@]} there"
    return
  fi
  if [[ $(id -u) -ne 0 ]]; then
    fail "${#missing[@]} of Debian's packages are missing, and only root can install them. Run this, then start again:" \
      "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  say "Debian's packages: installing ${missing[*]} (at most 200 MB to download, 1.7 GB on disk)"
  apt-get update -qq
  if ! apt-cache show libmlir-22-dev >/dev/null 2>&1; then
    mapfile -t lines < <(hints)
    fail "this system's archive has no libmlir-22-dev (Debian 12 has it)" "${lines[@]}"
  fi
  local log
  log=$(mktemp)
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install the packages above (whole output: $log)"
  fi
  rm -f "$log"
}

# A Python that can make a virtual environment and for which the pinned wheels exist.
find_python() {
  local p
  for p in python3 /usr/bin/python3; do
    if "$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
      command -v "$p"
      return
    fi
  done
  fail "no Python 3.10 to 3.14 with the modules venv and ensurepip (Debian: python3-venv)"
}

# make_venv FOLDER WHAT SIZE [pip options --] requirements...
# The stamp is written last: an interrupted installation is finished by the next run.
make_venv() {
  local dir=$root/$1 what=$2 size=$3 options=()
  shift 3
  if [[ $1 == --no-deps ]]; then options+=("$1"); shift; fi
  local stamp=$dir/.nxdt-setup wanted
  wanted=$(printf '%s\n' "${options[@]}" "$@")
  if [[ -f $stamp && $(<"$stamp") == "$wanted" && -x $dir/bin/python ]]; then
    say "$(basename "$dir"): there"
    return
  fi
  say "$(basename "$dir"): installing $what from PyPI ($size)"
  local start=$SECONDS python
  # A moved or half-made environment is made anew.
  if ! "$dir/bin/python" -c 'import pip' 2>/dev/null; then
    rm -rf "$dir"
    python=$(find_python)
    "$python" -m venv "$dir"
  fi
  "$dir/bin/python" -m pip install -q --disable-pip-version-check "${options[@]}" "$@" ||
    fail "pip could not install $* into $dir"
  printf '%s' "$wanted" >"$stamp"
  say "$(basename "$dir"): done in $((SECONDS - start)) s"
}

install_debian_packages
if [[ $cmake_args == *-DNXDT_TORCH_DIR=* && $cmake_args == *-DNXDT_ARROW_DIR=* ]]; then
  say ".venv: left alone (NXDT_CMAKE_ARGS gives both wheels); the quickstart's Python is then yours (pyarrow, tokenizers)"
else
  make_venv .venv "torch 2.11.0 as a C++ library, pyarrow, tokenizers" "600 MB to download, 1.4 GB on disk, about 30 s" \
    --no-deps "${venv_no_deps[@]}"
fi
if [[ $with_test_venv -eq 1 ]]; then
  make_venv .venv-test "torch and transformers with all they need, for the tests" "2.5 GB to download, 5.0 GB on disk, 1 to 3 minutes" \
    "${test_venv[@]}"
fi
