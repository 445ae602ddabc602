"""How many threads run, who decides it, and that results do not depend on it.

A container's CPU quota cannot be set without administrator's rights; its parsing is tested in tests/cpp.
"""

import os
import threading

import numpy as np
import pytest

from fastnn import _core, backend, ops

SHOW = "from fastnn import backend; print(backend.get_num_threads())"


@pytest.fixture(autouse=True)
def restored():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


def test_set_is_what_get_says():
    backend.set_num_threads(3)
    assert backend.get_num_threads() == 3


def test_a_limit_holds_inside_and_is_lifted_outside():
    backend.set_num_threads(4)
    with backend.threads(2):
        assert backend.get_num_threads() == 2
        with backend.threads(1):
            assert backend.get_num_threads() == 1
        assert backend.get_num_threads() == 2
    assert backend.get_num_threads() == 4


def test_a_limit_is_lifted_by_an_error():
    backend.set_num_threads(4)
    with pytest.raises(KeyError), backend.threads(2):
        raise KeyError
    assert backend.get_num_threads() == 4


def test_a_limit_holds_for_the_calling_thread_alone():
    backend.set_num_threads(4)
    seen = []
    with backend.threads(2):
        other = threading.Thread(target=lambda: seen.append(backend.get_num_threads()))
        other.start()
        other.join()
    assert seen == [4]


@pytest.mark.parametrize("n", [0, -1])
def test_less_than_one_thread_is_refused(n):
    with pytest.raises(ValueError, match=rf"\[set_num_threads\] expected at least 1 thread, got {n}"):
        backend.set_num_threads(n)
    with pytest.raises(ValueError, match=rf"\[threads\] expected at least 1 thread, got {n}"), backend.threads(n):
        pass


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FASTNN_NUM_THREADS": "5"}, 5),
        ({"FASTNN_NUM_THREADS": "5", "OMP_NUM_THREADS": "7"}, 5),
        ({"FASTNN_NUM_THREADS": "", "OMP_NUM_THREADS": "7"}, 7),
        ({"FASTNN_NUM_THREADS": "", "OMP_NUM_THREADS": "two"}, _core.available_threads()),
        ({"FASTNN_NUM_THREADS": "", "OMP_NUM_THREADS": ""}, _core.available_threads()),
    ],
)
def test_the_environment_decides_at_start(run_python, environment, expected):
    assert run_python(SHOW, **environment).stdout.split()[-1] == str(expected)


@pytest.mark.parametrize("text", ["two", "0", "-3", "2.5", "5000", "1e3"])
def test_a_wrong_number_in_the_environment_is_told_at_import(run_python, text):
    run = run_python("import fastnn", FASTNN_NUM_THREADS=text)
    assert run.returncode != 0
    assert f"[FASTNN_NUM_THREADS] expected an integer from 1 to 4096, got '{text}'" in run.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_affinity_is_respected(run_python):
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + SHOW
    assert run_python(pin, FASTNN_NUM_THREADS="", OMP_NUM_THREADS="").stdout.split()[-1] == "1"


#: One call per way of splitting work.
RUNS = {
    "rows": lambda a, b: ops.softmax(a),
    "ranges": lambda a, b: ops.gelu(a),
    "broadcast": lambda a, b: ops.add(a, b[:1]),
    "gemm": lambda a, b: ops.matmul(a, b.T),
    "sum": lambda a, b: ops.sum(a),
    "sum over rows": lambda a, b: ops.sum(a, axis=0),
    "mean over columns": lambda a, b: ops.mean(a, axis=1),
}


@pytest.mark.parametrize("name", RUNS)
def test_bits_do_not_depend_on_the_number_of_threads(rng, name):
    a, b = (rng.standard_normal((300, 257)).astype(np.float32) for _ in range(2))
    results = set()
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        results.add(RUNS[name](a, b).tobytes())
    assert len(results) == 1


PLACES = """
import os, time
import numpy as np
from fastnn import backend, ops

backend.set_num_threads(2)
x = np.ones((512, 512), "float32")
before = set(os.listdir("/proc/self/task"))
expected = ops.matmul(x, x)
(worker,) = map(int, set(os.listdir("/proc/self/task")) - before)
everywhere = os.sched_getaffinity(0)
here = min(everywhere)


def expect(allowed):
    for _ in range(500):  # it may not have run yet since it was sent away
        if os.sched_getaffinity(worker) == allowed:
            return
        time.sleep(0.01)
    raise AssertionError((os.sched_getaffinity(worker), allowed))


expect(everywhere)
os.sched_setaffinity(0, {here})
for allowed in ({here}, everywhere, {max(everywhere)}):
    os.sched_setaffinity(worker, allowed)
    for _ in range(20):
        assert (ops.matmul(x, x) == expected).all()
        time.sleep(0.001)
    expect(allowed)
print("everywhere as before")
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processors to choose from")
def test_a_worker_on_the_callers_processor_may_run_where_it_might_before(run_python):
    if _core.threading() == "OpenMP":
        pytest.skip("OpenMP places its threads itself")
    done = run_python(PLACES)
    assert done.stdout == "everywhere as before\n", done.stderr
