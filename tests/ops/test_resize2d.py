import numpy as np
import pytest

from fastnn import _core, ops, vjp
from fastnn.testing import check_op, covering_sample, missing_pairs


def weights(n, out):
    """(out, n): what each output takes of each element, a triangle around its place."""
    place = np.clip((np.arange(out) + 0.5) * n / out - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(n)))


def bilinear(x, size):
    return np.einsum("ih,jw,nhwc->nijc", weights(x.shape[1], size[0]), weights(x.shape[2], size[1]), x)


# Twice and three times as large, smaller, one pixel, and nothing to do; channels around the vector widths.
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((2, 3, 4, 3), (6, 12)),
        ((1, 5, 7, 17), (2, 3)),
        ((2, 1, 1, 8), (3, 2)),
        ((1, 4, 3, 1), (1, 9)),
        ((1, 3, 2, 9), (3, 2)),
    ],
)
def test_bilinear_is_a_product_with_triangles(rng, shape, size):
    check_op(ops.resize2d, bilinear, rng.standard_normal(shape), linear=[0], size=size)


@pytest.mark.parametrize(("shape", "size"), [((2, 5, 3), 3), ((2, 3, 2, 17), (2, 3)), ((1, 2, 3, 2, 5), (2, 1, 3))])
def test_repeated_pixels(rng, shape, size):
    def reference(x, size):
        for axis, times in enumerate(np.broadcast_to(size, x.ndim - 2), 1):
            x = np.repeat(x, times, axis)
        return x

    check_op(ops.repeat_pixels, reference, rng.standard_normal(shape), linear=[0], size=size)


def test_upsample2d_takes_either(rng):
    x = rng.standard_normal((1, 2, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(ops.upsample2d(x, 2), x.repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(ops.upsample2d(x, (1, 2), "bilinear"), ops.resize2d(x, (2, 6)))
    with pytest.raises(ValueError, match=r"\[upsample2d\] expected interpolation 'nearest' or 'bilinear', got 'cubic'"):
        ops.upsample2d(x, 2, "cubic")


@pytest.mark.parametrize("shape", [(0, 2, 2, 3), (2, 2, 2, 0)])
def test_empty(shape):
    x = np.zeros(shape, np.float32)
    for op in (lambda x: ops.resize2d(x, 3), lambda x: ops.repeat_pixels(x, 2)):
        y, pullback = vjp(op, x)
        assert y.shape[0] == shape[0] and y.shape[3] == shape[3] and pullback(y)[0].shape == shape


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\[resize2d\] expected x of shape \(n, h, w, c\), got \(2, 3\)"):
        ops.resize2d(np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match=r"\[resize2d\] expected size of 2 integers >= 1, got 0"):
        ops.resize2d(np.zeros((1, 2, 3, 1)), 0)
    with pytest.raises(ValueError, match=r"\[resize2d\] expected images of at least 1 x 1, got 0 x 3 -> 2 x 2"):
        ops.resize2d(np.zeros((1, 0, 3, 1)), 2)
    with pytest.raises(ValueError, match=r"\[repeat_pixels\] expected x of 3, 4 or 5 axes, .* got \(2, 3\)"):
        ops.repeat_pixels(np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match=r"expected dy of shape \(n, oh, ow, c\)"):
        _core.resize2d_backward(np.zeros((2, 3)), 1, 1)


FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "out_h": [1, 2, 7, 15, 28],
    "out_w": [1, 3, 8, 14, 29],
    "times": [(1, 1), (2, 2), (3, 1), (1, 4), (5, 3)],
}


def fits(c, h, w, n, out_h, out_w, times):
    return max(n, 1) * c * max(h * w, out_h * out_w, h * w * times[0] * times[1]) < 8_000


SAMPLE = covering_sample(FACTORS, fits, count=88)


def test_the_sample_holds_every_pair_of_values():
    assert not missing_pairs(FACTORS, SAMPLE)


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    x = np.random.default_rng(SAMPLE.index(g)).standard_normal((g["n"], g["h"], g["w"], g["c"]))
    check_op(ops.resize2d, bilinear, x, linear=[0], size=(g["out_h"], g["out_w"]))
    check_op(ops.repeat_pixels, lambda x, size: x.repeat(size[0], 1).repeat(size[1], 2), x, linear=[0], size=g["times"])
