import hashlib

import numpy as np
import pytest

from fastnn import _core, backend, ops
from fastnn.autograd import vjp
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


def kept(n, seed, stream, step, rate):
    """Whether elements 0 to n - 1 are kept, after the contract in dropout.hpp."""
    key = philox([stream & WORD, stream >> 32, 0, 0], [seed & WORD, seed >> 32])[:2]
    threshold, decisions, ties = round(rate * 2**32), [], 0

    def block(i):
        return philox([i & WORD, i >> 32, step & WORD, step >> 32], key)

    for e in range(n):
        ties = 0 if e % 256 == 0 else ties
        upper = block(e // 16)[e % 16 // 4] >> 8 * (e % 4) & 0xFF
        if upper != threshold >> 24:
            decisions.append(upper > threshold >> 24)
        else:
            lower = block(2**63 + 64 * (e // 256) + ties // 4)[ties % 4] >> 8
            decisions.append(lower >= threshold & 0xFFFFFF)
            ties += 1
    return decisions


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # known answers of Random123
        ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([WORD] * 4, [WORD] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ],
)
def test_philox_gives_the_published_words(counter, key, words):
    assert _core.philox(counter, key) == words
    assert philox(counter, key) == words


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.999])
@pytest.mark.parametrize("state", [(0, 1, 0), (2**40 + 5, 3, 2**33 + 1)])
def test_elements_are_dropped_as_the_contract_says(rate, state):
    expected = kept(2600, *state, rate)  # ten elements have the upper byte of the threshold, as a rule
    for n in (0, 1, 7, 8, 9, 15, 16, 17, 33, 255, 256, 257, 2600):
        x = np.arange(1, n + 1, dtype=np.float32)
        y, mask = _core.dropout(x, np.array(state, np.uint64), rate)
        assert mask.tolist() == expected[:n]
        scale = np.float32(2**32 / (2**32 - round(rate * 2**32)))
        np.testing.assert_array_equal(y, np.where(mask, x * scale, 0))


def test_a_stretch_of_ties_alone():
    """Rates below 1 / 256 leave every upper byte of 0 undecided; a stretch may hold more than one batch of words for
    them, though none does that can be searched for: the share tells."""
    n = 4_000_000
    for rate in (1 / 300, 1 / 5000):
        share = 1 - np.count_nonzero(ops.dropout(np.ones(n, np.float32), rate, seed=3)) / n
        assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / n)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.999])
def test_the_kept_share_is_that_of_the_rate(rate):
    n = 300_000
    y = ops.dropout(np.ones(n, np.float32), rate, seed=3)
    share = np.count_nonzero(y) / n
    assert abs(share - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / n)
    assert abs(np.mean(y, dtype=np.float64) - 1) < 5 * np.sqrt(rate / (1 - rate) / n)


def test_neighbours_are_independent():
    m = ops.dropout(np.ones(400_000), 0.5, seed=1) > 0
    for lag in (1, 2, 16, 32, 128):
        both = np.mean(m[lag:] & m[:-lag])
        assert abs(both - 0.25) < 5 * np.sqrt(0.3125 / m.size)  # variance p^2 (1 - p^2) + 2 p^3 (1 - p): pairs overlap


@pytest.mark.parametrize("rate", [2.0**-32, 1 - 2.0**-32, 1e-12, 1 - 1e-12])
def test_extreme_rates_stay_finite(rate):
    y = ops.dropout(np.ones(1000, np.float32), rate, seed=0)
    assert np.isfinite(y).all()


def test_the_same_mask_whatever_the_dtype_the_layout_and_the_isa(rng):
    x = rng.uniform(1, 2, (37, 53)).astype(np.float32)
    masks = [ops.dropout(v, 0.4, seed=9) > 0 for v in (x, x.astype(np.float64), np.asfortranarray(x))]
    assert all((m == masks[0]).all() for m in masks)
    assert hashlib.sha256(masks[0].tobytes()).hexdigest()[:16] == GOLDEN


#: Of the mask above: a change here changes every trained model with dropout.
GOLDEN = "96656a98005ed34d"


@pytest.mark.parametrize("noise_shape", [None, (300, 1), (1, 200), (200,), (1,)])
def test_bits_do_not_depend_on_threads(rng, noise_shape):
    x = rng.standard_normal((300, 200)).astype(np.float32)
    before, found = backend.get_num_threads(), set()
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        y, pullback = vjp(lambda a: ops.dropout(a, 0.25, noise_shape=noise_shape, seed=4), x)
        found.add(hashlib.sha256(y.tobytes() + pullback(x)[0].tobytes()).hexdigest())
    backend.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize("noise_shape", [(4, 1, 5), (1, 3, 1), (3, 5), (1, 1, 1), (4, 3, 5)])
def test_noise_is_broadcast(rng, noise_shape):
    x = rng.uniform(1, 2, (4, 3, 5))
    m = ops.dropout(np.ones(noise_shape), 0.5, seed=2)
    np.testing.assert_allclose(ops.dropout(x, 0.5, noise_shape=noise_shape, seed=2), x * m, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_takes_the_same_mask(rng, dtype):
    x = rng.uniform(1, 2, (5, 33)).astype(dtype)
    x.flags.writeable = False
    y, pullback = vjp(lambda a: ops.dropout(a, 0.5, seed=6), x)
    dy = rng.uniform(1, 2, x.shape).astype(dtype)
    np.testing.assert_allclose(pullback(dy)[0], dy * (y / x), rtol=1e-6)
    np.testing.assert_array_equal(pullback(dy)[0] == 0, y == 0)


def test_each_call_of_a_generator_draws_anew():
    x = np.ones(200)
    generator = SeedGenerator(5)
    first, second = ops.dropout(x, 0.5, seed=generator), ops.dropout(x, 0.5, seed=generator)
    assert (first != second).any()
    np.testing.assert_array_equal(first, ops.dropout(x, 0.5, seed=5))
    set_random_seed(7)
    a, b = ops.dropout(x, 0.5), ops.dropout(x, 0.5)
    set_random_seed(7)
    np.testing.assert_array_equal(a, ops.dropout(x, 0.5))
    assert (a != b).any()


def test_nan_is_dropped_like_any_number():
    y = ops.dropout(np.full(1000, np.nan, np.float32), 0.5, seed=0)
    assert 300 < np.count_nonzero(np.isnan(y)) < 700 and (y[~np.isnan(y)] == 0).all()


def test_rate_zero_changes_nothing():
    x = np.ones(3)
    assert ops.dropout(x, 0) is x


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_other_rates_are_refused(rate):
    with pytest.raises(ValueError, match=r"\[dropout\] expected rate in \[0, 1\), got"):
        ops.dropout(np.ones(3), rate)


def test_noise_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\[dropout\] expected .*\(2, 3\).*\(4, 3\)"):
        ops.dropout(np.ones((2, 3)), 0.5, noise_shape=(4, 3))
    with pytest.raises(ValueError, match=r"\[dropout\] expected noise_shape that broadcasts to \(1, 3\), got \(2, 3\)"):
        ops.dropout(np.ones((1, 3)), 0.5, noise_shape=(2, 3))
