"""Outputs of 24 MiB and more are stored past the caches: with the bits of the same work in halves, which are not."""

import numpy as np
import pytest

from fastnn import backend, ops, vjp

COUNT = 6 * 2**20  # floats


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).standard_normal(COUNT, dtype=np.float32)


@pytest.fixture(autouse=True)
def two_threads():
    before = backend.get_num_threads()
    backend.set_num_threads(2)
    yield
    backend.set_num_threads(before)


def through(op, x, dy):
    y, pullback = vjp(op, x)
    return y, pullback(dy[: len(y)])[0]


def assert_halves_agree(op, x, dy):
    y, dx = through(op, x, dy)
    middle = len(x) // 2
    halves = [through(op, x[part], dy[part]) for part in (slice(0, middle), slice(middle, None))]
    for whole, parts in zip((y, dx), zip(*halves, strict=True), strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_layer_norm(values):
    x, gamma, beta = values.reshape(8192, 768), values[:768], values[768:1536]
    assert_halves_agree(lambda x: ops.layer_norm(x, gamma, beta), x, x[::-1].copy())


def test_normalisation_by_given_statistics(values):
    x, (gamma, beta, mean) = values.reshape(-1, 96), values[:288].reshape(3, 96)
    variance = np.abs(values[300:396]) + 1
    op = lambda x: ops.batch_norm_inference(x, gamma, beta, mean, variance, activation="relu")  # noqa: E731
    assert_halves_agree(op, x, x[::-1].copy())


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d])
def test_gradients_of_pooling(values, pool, size):
    x = values.reshape(32, 64, 64, 48)
    assert_halves_agree(lambda x: pool(x, size, 2, "same"), x, values[: COUNT // 4].reshape(32, 32, 32, 48))
