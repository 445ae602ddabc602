#!/usr/bin/env bash
# Formats every tracked file as CI wants it. With --check: changes nothing and fails where something is to do.
# Needs the dev extra in the Python that PYTHON names.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
clang_format=$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))')/clang-format
mapfile -t sources < <(git ls-files '*.cpp' '*.hpp')

if [[ ${1:-} == --check ]]; then
  "$python" -m ruff check .
  "$python" -m ruff format --check .
  "$clang_format" --dry-run -Werror "${sources[@]}"
else
  "$python" -m ruff check --fix .
  "$python" -m ruff format .
  "$clang_format" -i "${sources[@]}"
fi
