#!/usr/bin/env bash
# Formats all C++ files in place with clang-format 14; --check only names those that are not formatted and exits with 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

formatter=
for candidate in clang-format-14 clang-format; do
  if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q 'version 14\.'; then
    formatter=$candidate
    break
  fi
done
if [[ -z $formatter ]]; then
  echo "error: clang-format 14 is needed, as other versions format differently (Debian: clang-format-14)" >&2
  exit 1
fi
# A checkout knows its files; an unpacked archive has only them.
mapfile -d '' files < <(git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.h' 2>/dev/null ||
  find bench dialects examples include lib passes runtime test tools \( -name '*.cpp' -o -name '*.h' \) -print0)
existing=()
for file in "${files[@]}"; do [[ -f $file ]] && existing+=("$file"); done
[[ ${#existing[@]} -gt 0 ]] || { echo "error: found no C++ files" >&2; exit 1; }
each() { printf '%s\0' "${existing[@]}" | xargs -0 -n 16 "$formatter" "$@"; }

if [[ ${1:-} != --check ]]; then
  each -i
  exit 0
fi
wrong=$(each --dry-run 2>&1 | sed -n 's/^\([^:]*\):.*clang-format-violations.*/\1/p' | sort -u)
if [[ -n $wrong ]]; then
  echo "$wrong" >&2
  echo "error: the files above are not formatted; scripts/format.sh puts it right" >&2
  exit 1
fi
