#!/usr/bin/env bash
# Sets up, builds everything with warnings as errors, checks the formatting and runs all tests under ctest.
#
#   scripts/test.sh [--no-python] [ctest options, as in -R capture or -L unit]
#
#   --no-python    without the tests labelled `python`, and so without .venv-test (5 GB, 1 to 3 minutes, once)
#
# The labels `slow` and `equivalence-full` are left out unless -L asks for them: scripts/test.sh -L slow
set -euo pipefail

usage() { sed -n '2,/^set /p' "${BASH_SOURCE[0]}" | sed -e '/^set /d' -e 's/^# \{0,1\}//'; }

python=1 ctest_args=() labels_given=0
while [[ $# -gt 0 ]]; do
  case $1 in
  -h | --help) usage; exit 0 ;;
  --no-python) python=0 ;;
  -L*) labels_given=1; ctest_args+=("$1") ;;
  *) ctest_args+=("$1") ;;
  esac
  shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
excluded='^(slow|equivalence-full'
[[ $labels_given -eq 1 ]] && excluded='^(none'
if [[ $python -eq 1 ]]; then
  scripts/setup.sh --test
else
  scripts/setup.sh
  excluded+='|python'
fi
excluded+=')$'

echo "[test] formatting (clang-format 14, .clang-format)"
scripts/format.sh --check
scripts/build.sh
echo "[test] ctest"
cd build
exec ctest --output-on-failure -j "${NXDT_TEST_JOBS:-$(nproc)}" -LE "$excluded" "${ctest_args[@]}"
