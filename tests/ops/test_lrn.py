import numpy as np
import pytest

from fastnn import backend, vjp
from fastnn.ops import lrn
from fastnn.testing import check_op, covering_sample, missing_pairs


def reference(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    """Channel by channel, over the channels that there are."""
    y = np.empty(x.shape)
    channels = x.shape[-1]
    for i in range(channels):
        window = x[..., max(0, i - size // 2) : min(channels, i + (size - 1) // 2 + 1)]
        y[..., i] = x[..., i] / (k + alpha * (window**2).sum(axis=-1)) ** beta
    return y


@pytest.fixture(autouse=True)
def threads():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


# Channels around the vector widths; windows of odd and even size, wider than there are channels, and of one.
@pytest.mark.parametrize("channels", [1, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_matches_reference(rng, channels, size):
    check_op(lrn, reference, 2 * rng.standard_normal((2, channels)), size=size, alpha=0.3, beta=0.75, k=1.5)


def test_defaults_are_those_of_alexnet(rng):
    x = 100 * rng.standard_normal((2, 3, 3, 8))
    np.testing.assert_allclose(lrn(x), reference(x), rtol=1e-12)
    check_op(lrn, reference, rng.standard_normal((2, 3, 3, 8)), beta=0.5)


def test_same_bits_at_any_thread_count(rng):
    x, dy = (rng.standard_normal((400, 37)).astype("float32") for _ in range(2))
    results = []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        y, pullback = vjp(lambda x: lrn(x, alpha=0.1), x)
        results.append((y, pullback(dy)[0]))
    for y, dx in results[1:]:
        np.testing.assert_array_equal(y, results[0][0])
        np.testing.assert_array_equal(dx, results[0][1])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_empty(shape):
    y, pullback = vjp(lrn, np.zeros(shape, "float32"))
    assert y.shape == pullback(y)[0].shape == shape


def test_out_is_filled_and_returned(rng):
    x = rng.standard_normal((3, 5)).astype("float32")
    out = np.empty_like(x)
    assert lrn(x, out=out) is out
    np.testing.assert_array_equal(out, lrn(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, r"\[lrn\] expected size >= 1, got 0"),
        ({"k": 0.0}, r"\[lrn\] expected k > 0 and alpha >= 0, got 0.0 and 0.0001"),
        ({"alpha": -1.0}, r"\[lrn\] expected k > 0 and alpha >= 0, got 2.0 and -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        lrn(np.zeros((2, 3), "float32"), **options)
    with pytest.raises(ValueError, match=r"\[lrn\] expected x with at least 1 axis, got a scalar"):
        lrn(np.float32(1))


FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "size": [1, 2, 3, 5, 12],
    "alpha": [1e-4, 0.1],
    "beta": [0.5, 0.75, 1.0, 1.3],
    "k": [0.5, 1.0, 2.0],
}


def fits(c, h, w, n, **settings):
    return max(n, 1) * h * w * c < 6_000


SAMPLE = covering_sample(FACTORS, fits, count=80)


def test_the_sample_holds_every_pair_of_values():
    assert not missing_pairs(FACTORS, SAMPLE)


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    x = 2 * np.random.default_rng(SAMPLE.index(g)).standard_normal((g["n"], g["h"], g["w"], g["c"]))
    check_op(lrn, reference, x, **{name: g[name] for name in ("size", "alpha", "beta", "k")})
