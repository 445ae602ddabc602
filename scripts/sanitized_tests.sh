#!/usr/bin/env bash
# Builds the extension with the address and undefined-behaviour sanitizers and runs pytest on it: gcc only.
#   scripts/sanitized_tests.sh tests/ops -k softmax
# Needs cmake, ninja, pybind11 and scikit-build-core in the Python that PYTHON names.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
"$python" -m pip install -q --no-build-isolation --no-deps --upgrade --target build/sanitized/site \
  --config-settings=build-dir=build/sanitized --config-settings=cmake.define.FASTNN_SANITIZE=address,undefined .

# Leaks are the interpreter's own; PYTHONMALLOC lets every object be watched.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc
export PYTHONPATH=$PWD/build/sanitized/site
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
  "$python" -m pytest -q -x -p no:cacheprovider -m "not slow and not resident" "$@"
