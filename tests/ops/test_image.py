"""Images of other sizes, against sums of weights written out pixel by pixel."""

from math import floor, pi, sin

import numpy as np
import pytest

from fastnn import ops
from fastnn.testing import check_op


def cubic(d):
    """Keys's cubic: through its values and slopes at 0, 1 and 2, as powers of the distance to 1 and 2."""
    if d < 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * (d - 1) * (d - 2) ** 2 if d < 2 else 0.0


def lanczos(d, radius):
    if d == 0:
        return 1.0
    return radius * sin(pi * d) * sin(pi * d / radius) / (pi * d) ** 2 if d <= radius else 0.0


WEIGHTS = {
    "bilinear": lambda d: max(0.0, 1 - d),
    "bicubic": cubic,
    "lanczos3": lambda d: lanczos(d, 3),
    "lanczos5": lambda d: lanczos(d, 5),
}


def along(x, out, name, antialias):
    """x (n, ...) with `out` in place of n: every weight for itself."""
    n, y = len(x), []
    for i in range(out):
        place = (i + 0.5) * n / out - 0.5
        if name == "nearest":
            y.append(x[floor((i + 0.5) * n / out)])
            continue
        width = max(n / out, 1) if antialias else 1
        weights = [WEIGHTS[name](abs(place - j) / width) for j in range(n)]
        y.append(sum(w * row for w, row in zip(weights, x, strict=True)) / sum(weights))
    return np.array(y)


def by_hand(x, size, interpolation="bilinear", antialias=False):
    y = np.stack([along(image, size[0], interpolation, antialias) for image in x])
    return np.stack([[along(row, size[1], interpolation, antialias) for row in image] for image in y])


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", *WEIGHTS])
@pytest.mark.parametrize(("shape", "size"), [((2, 5, 3, 3), (2, 7)), ((1, 4, 8, 1), (9, 3))])
def test_pixels_are_weighted_sums(rng, shape, size, interpolation, antialias):
    options = {"interpolation": interpolation, "antialias": antialias}
    check_op(ops.image.resize, by_hand, rng.standard_normal(shape), linear=[0], size=size, **options)


def test_one_image_is_a_batch_of_one(rng):
    x = rng.standard_normal((4, 5, 3)).astype(np.float32)
    y = ops.image.resize(x, (3, 2), "bicubic")
    np.testing.assert_array_equal(y, ops.image.resize(x[None], (3, 2), "bicubic")[0])


def test_the_ratio_of_the_sides_is_kept_by_cutting_or_filling(rng):
    wide = rng.standard_normal((2, 4, 11, 3)).astype(np.float32)
    for x, size, cut in ((wide, (2, 3), wide[:, :, 2:8]), (wide.swapaxes(1, 2), (3, 2), wide.swapaxes(1, 2)[:, 2:8])):
        found = ops.image.resize(x, size, crop_to_aspect_ratio=True)
        np.testing.assert_array_equal(found, ops.image.resize(np.ascontiguousarray(cut), size))
    filled = np.pad(wide, ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=7)  # 7 rows for 11 columns; 3 // 2 a side
    found = ops.image.resize(wide, (2, 3), pad_to_aspect_ratio=True, fill_value=7)
    np.testing.assert_array_equal(found, ops.image.resize(filled, (2, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interpolation": "area"}, r"\[resize\] expected interpolation nearest, bilinear, .*, got 'area'"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "got both"),
        ({"fill_mode": "edge"}, "expected fill_mode 'constant', got 'edge'"),
        ({"data_format": "channels_first"}, "expected data_format 'channels_last'"),
        ({"images": np.zeros((3, 4))}, r"expected images of shape \(n, h, w, c\) or \(h, w, c\), got \(3, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ops.image.resize(**{"images": np.zeros((1, 3, 4, 1)), "size": 2, **options})
