"""Normally distributed numbers, after the contract in normal.hpp."""

import hashlib

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.random import SeedGenerator, set_random_seed

WORD = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 in plain integers, after the paper's description."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & WORD, a >> 32 ^ c[3] ^ k[1], a & WORD]
        k = [k[0] + 0x9E3779B9 & WORD, k[1] + 0xBB67AE85 & WORD]
    return c


def deviate(e, seed, stream, step):
    """z of element e."""
    key = philox([stream & WORD, stream >> 32, 0, 0], [seed & WORD, seed >> 32])[:2]
    batch, place = divmod(e, 128)
    quarter, lane = divmod(place, 32)
    block = 32 * batch + lane
    words = philox([block & WORD, block >> 32, step & WORD, step >> 32], key)
    first, second = words[quarter // 2 * 2], words[quarter // 2 * 2 + 1]
    radius = np.sqrt(-2 * np.log((first + 0.5) / 2**32))
    angle = 2 * np.pi * second / 2**32
    return radius * (np.sin(angle) if quarter % 2 else np.cos(angle))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 15, 16, 17, 33, 127, 128, 129, 300])
@pytest.mark.parametrize("state", [(0, 1, 0), (2**40 + 5, 3, 2**33 + 1)])
def test_elements_are_as_the_contract_says(dtype, n, state):
    generator = SeedGenerator(1)
    generator.state[...] = state
    y = ops.normal((n,), 2.0, 3.0, dtype, generator)
    expected = np.array([2 + 3 * deviate(e, *state) for e in range(n)])
    assert y.dtype == dtype and y.shape == (n,)
    # a cosine of 1 ulp and a product in double; then one rounding
    np.testing.assert_allclose(y, expected.astype(dtype), rtol=4 * np.finfo(dtype).eps, atol=3e-15)
    assert generator.state[2] == state[2] + 1


def test_moments_and_neighbours_are_those_of_the_normal_distribution():
    n = 400_000
    z = ops.normal((n,), dtype="float64", seed=3)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(z**power) - moment) < 5 * np.sqrt(variance / n)
    for lag in (1, 16, 32, 64, 128):
        assert abs(np.mean(z[lag:] * z[:-lag])) < 5 / np.sqrt(n)
    for limit, share in ((1, 0.317310508), (2, 0.045500264), (3, 0.002699796)):
        assert abs(np.mean(np.abs(z) > limit) - share) < 5 * np.sqrt(share / n)


def test_the_same_numbers_whatever_the_dtype_and_the_number_of_threads():
    before, found = backend.get_num_threads(), set()
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        y = ops.normal((300, 401), dtype="float64", seed=5)
        np.testing.assert_array_equal(ops.normal((300, 401), seed=5), y.astype("float32"))
        found.add(hashlib.sha256(y.tobytes()).hexdigest())
    backend.set_num_threads(before)
    assert len(found) == 1


def test_each_call_draws_anew():
    generator = SeedGenerator(5)
    first, second = ops.normal((50,), seed=generator), ops.normal((50,), seed=generator)
    assert not np.any(first == second)
    set_random_seed(7)
    a = ops.normal((50,))
    set_random_seed(7)
    np.testing.assert_array_equal(a, ops.normal((50,)))


def test_a_negative_deviation_is_refused():
    with pytest.raises(ValueError, match=r"\[normal\] expected stddev >= 0, got -1"):
        ops.normal((3,), stddev=-1.0)
    with pytest.raises(ValueError, match=r"\[normal\] expected dtype float32 or float64, got int32"):
        ops.normal((3,), dtype="int32")
    np.testing.assert_array_equal(ops.normal((3,), 2.0, 0.0), [2, 2, 2])
