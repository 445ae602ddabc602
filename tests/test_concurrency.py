"""Ops called from several Python threads at once, and what an op leaves behind in the thread that called it."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastnn import _core, backend, layers, ops
from fastnn.autograd import GradientTape
from fastnn.models import Sequential
from fastnn.optimizers import SGD
from fastnn.random import set_random_seed


@pytest.fixture(autouse=True)
def three_threads():
    before = backend.get_num_threads()
    backend.set_num_threads(3)
    yield
    backend.set_num_threads(before)


def test_two_threads_get_their_own_results(rng):
    inputs = [rng.standard_normal((64 + i, 700)).astype(np.float32) for i in range(4)]

    def work(x):
        return ops.softmax(ops.multiply(x, x)).tobytes()

    expected = [work(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            assert list(pool.map(work, inputs)) == expected


def test_each_thread_records_its_own_tape(rng):
    inputs = [rng.standard_normal(1000) for _ in range(4)]

    def gradient(x):
        with GradientTape() as tape:
            watched = tape.watch(x)
            y = ops.square(watched)
        return tape.gradient(y, watched)

    with ThreadPoolExecutor(4) as pool:
        for x, dx in zip(inputs, pool.map(gradient, inputs), strict=True):
            np.testing.assert_array_equal(dx, 2 * x)


class Slow(layers.Dense):
    def build(self, input_shape):
        time.sleep(0.02)  # long enough for all threads to come
        super().build(input_shape)


def test_threads_that_call_a_new_layer_share_its_weights():
    layer, x = Slow(3), np.ones((2, 4), np.float32)
    with ThreadPoolExecutor(4) as pool:
        first, *others = [y.tobytes() for y in pool.map(layer, [x] * 4)]
    assert others == [first] * 3 and len(layer.weights) == 2


@pytest.mark.parametrize("eager", [False, True])
def test_threads_that_train_one_model_take_turns(rng, eager):
    x, y = rng.standard_normal((8, 5, 3)).astype(np.float32), rng.standard_normal((8, 1)).astype(np.float32)

    def trained(threads):
        set_random_seed(3)
        model = Sequential([layers.LSTM(4), Slow(4), layers.Dense(1)])
        model.compile(SGD(0.1, momentum=0.9), "mse", run_eagerly=eager)
        with ThreadPoolExecutor(threads) as pool:
            options = {"epochs": 24 // threads, "shuffle": False, "verbose": 0}
            for fitted in [pool.submit(model.fit, x, y, **options) for _ in range(threads)]:
                fitted.result()
        return int(model.optimizer.iterations), [w.tobytes() for w in model.get_weights()]

    assert trained(4) == trained(1) and trained(1)[0] == 24


@pytest.mark.parametrize("length", [8, 100_000])
@pytest.mark.parametrize("isa", _core.supported_isas())
def test_denormals_are_flushed_inside_an_op_alone(isa, length):
    before = _core.active_isa()
    _core.set_active_isa(isa)
    try:
        y = ops.multiply(np.full(length, 1e-30, np.float32), np.float32(1e-10))
    finally:
        _core.set_active_isa(before)
    assert not y.any(), "expected 1e-40 to be flushed to 0"
    assert np.all(np.full(length, 1e-310) * 0.5 != 0), "expected the caller's arithmetic to keep denormals"


def test_a_refused_op_leaves_the_callers_mode_alone():
    with pytest.raises(ValueError):
        ops.add(np.zeros(3), np.zeros(4))
    assert np.float64(1e-310) * 0.5 != 0
