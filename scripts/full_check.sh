#!/usr/bin/env bash
# .ci/run and everything too slow for it: the whole suite on every instruction set, on emulated older processors, under the
# sanitizers, the slow tests, NEON under emulation, and every float through the vector functions. An hour or two on two cores.
# Steps whose tools cannot be installed say so and are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
export FASTNN_CHECK_DIR=${FASTNN_CHECK_DIR:-$(mktemp -d)}
.ci/run

source scripts/stages.sh
trap stages_failed EXIT
export CI=true CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 PATH=$FASTNN_CHECK_DIR/venv/bin:$PATH

# have <command> <package>...: true if the command is there or its packages can be installed.
have() {
  local command=$1
  shift
  command -v "$command" >/dev/null || apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 || true
  command -v "$command" >/dev/null || { echo "left out: no $command"; return 1; }
}

every_instruction_set() {
  local isa
  for isa in $(python -c "from fastnn import _core; print(*_core.supported_isas())"); do
    FASTNN_ISA=$isa python -m pytest -q
  done
}

# OpenBLAS's own choice of kernels does not survive emulation. The tests' workers are emulated, what hands out work is not.
# An instruction set that another processor or this one has run already is left out.
emulated_processors() {
  have qemu-x86_64 qemu-user || return 0
  local processor isa emulated
  for processor in SandyBridge:scalar Haswell:avx2; do
    isa=${processor#*:}
    emulated="qemu-x86_64 -cpu ${processor%:*} $(command -v python)"
    export OPENBLAS_CORETYPE=Nehalem
    [[ $($emulated -c "from fastnn import _core; print(_core.supported_isas()[-1])") == "$isa" ]]
    FASTNN_TEST_ISAS=$isa python -m pytest -q -p no:cacheprovider --dist load --tx "$(nproc)*popen//python=$emulated" \
      tests/ops tests/test_autograd.py tests/test_optimizers.py
  done
}

slow_tests() {
  local status=0
  python -m pytest -q -m slow || status=$?
  ((status == 0 || status == 5)) || return "$status" # 5: there are none
}

neon() {
  have aarch64-linux-gnu-g++ g++-aarch64-linux-gnu && have qemu-aarch64 qemu-user || return 0
  cmake -S . -B build/neon -G Ninja -DFASTNN_TESTS=ON -DFASTNN_WERROR=ON -DCMAKE_SYSTEM_NAME=Linux \
    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
    "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu" >/dev/null
  cmake --build build/neon | tail -1
  ctest --test-dir build/neon --output-on-failure
}

# Races. gcc's thread sanitizer does not know OpenMP, but the threads are the library's own. It wants addresses where older
# kernels put them: setarch -R.
thread_sanitizer() {
  local runtime
  runtime=$(g++ -print-file-name=libtsan.so)
  if [[ ! -f $runtime ]]; then echo "left out: no thread sanitizer"; return 0; fi
  python -m pip install -q --no-build-isolation --no-deps --upgrade --target build/threads/site --config-settings=build-dir=build/threads \
    --config-settings=cmake.define.FASTNN_SANITIZE=thread --config-settings=cmake.define.FASTNN_TESTS=ON .
  setarch -R build/threads/test_workers
  setarch -R env LD_PRELOAD="$runtime" TSAN_OPTIONS=ignore_noninstrumented_modules=1 FASTNN_NUM_THREADS=4 \
    PYTHONPATH="$PWD/build/threads/site" python -m pytest -q -x -n 0 -p no:cacheprovider \
    tests/ops tests/test_threads.py tests/test_concurrency.py
}

openmp() {
  python -m pip install -q --no-build-isolation --no-deps --upgrade --target build/openmp/site --config-settings=build-dir=build/openmp \
    --config-settings=cmake.define.FASTNN_OPENMP=ON --config-settings=cmake.define.FASTNN_TESTS=ON .
  build/openmp/test_workers
  PYTHONPATH=$PWD/build/openmp/site python -m pytest -q tests/ops tests/test_threads.py tests/test_concurrency.py \
    tests/test_fork.py tests/test_determinism.py
}

stage "every instruction set" every_instruction_set
stage "emulated processors" emulated_processors
stage "sanitizers on the suite" scripts/sanitized_tests.sh --ignore tests/test_isa.py
stage "thread sanitizer" thread_sanitizer
stage "OpenMP" openmp
stage "slow tests" slow_tests
stage "NEON" neon
stage "every float" build/cpp/test_math --full
stages_summary
