#!/usr/bin/env bash
# Configures (preset release, build/) and builds.
#
#   scripts/build.sh [TARGET...]      no target: everything, the tests too
#
# Environment: NXDT_CMAKE_ARGS, options for cmake; NXDT_JOBS, how many compilers run at once (default: one a core, but
# not more than one per 2 GiB of memory, which a file that includes libtorch or MLIR needs).
set -euo pipefail
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,/^set /p' "${BASH_SOURCE[0]}" | sed -e '/^set /d' -e 's/^# \{0,1\}//'
  exit 0
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs=${NXDT_JOBS:-}
if [[ -z $jobs ]]; then
  jobs=$(nproc)
  by_memory=$(awk '/^MemAvailable:/{print int($2 / 2097152)}' /proc/meminfo)
  if ((by_memory < jobs)); then jobs=$((by_memory > 0 ? by_memory : 1)); fi
fi

say() { printf '[build] %s\n' "$*"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of options
if ! cmake --preset release -DNXDT_ENABLE_TESTS=ON -DNXDT_WERROR=ON ${NXDT_CMAKE_ARGS:-} >"$log" 2>&1; then
  cat "$log" >&2
  echo "error: cmake could not configure build/ (its output is above)" >&2
  exit 1
fi
targets=()
for target in "$@"; do targets+=(--target "$target"); done
say "${*:-everything}, $jobs at a time (a first build takes some minutes)"
start=$SECONDS
if [[ -t 1 ]]; then
  cmake --build --preset release -j "$jobs" "${targets[@]}"
elif ! cmake --build --preset release -j "$jobs" "${targets[@]}" >"$log" 2>&1; then
  # Without a terminal only what went wrong is worth the room.
  grep -vE '^\[[0-9]+/[0-9]+\]' "$log" >&2
  echo "error: the build failed (its messages are above)" >&2
  exit 1
fi
say "done in $((SECONDS - start)) s"
