#!/usr/bin/env bash
# Writes python/fastnn/_core.pyi from the installed extension. With --check: fails if it is not up to date.
# Needs the dev extra in the Python that PYTHON names.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
stub=python/fastnn/_core.pyi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$python" -m pybind11_stubgen fastnn._core -o "$folder" --exit-code >/dev/null
# Element types are checked when a kernel is called; the values of constants are those of one machine.
sed -E -e 's/numpy\.ndarray\b/numpy.typing.NDArray[typing.Any]/g' -e 's/^import numpy$/import numpy.typing/' \
  -e 's/-> tuple:/-> tuple[typing.Any, ...]:/' -e 's/: tuple([,)])/: tuple[typing.Any, ...]\1/g' -e 's/: dict = .*/: dict[str, typing.Any]/' \
  -e 's/^(\w+: \w+) = .*/\1/' "$folder/fastnn/_core.pyi" >"$folder/_core.pyi"

if [[ ${1:-} == --check ]]; then
  diff -u "$stub" "$folder/_core.pyi" || { echo "out of date: run scripts/update_stubs.sh"; exit 1; }
else
  cp "$folder/_core.pyi" "$stub"
fi
