"""Arrays made ready for training: classes as rows, vectors of length 1."""

import numpy as np
import pytest

from fastnn import data, utils


@pytest.mark.parametrize("shape", [(), (1,), (5,), (5, 1), (2, 3), (2, 3, 1), (0,)])
def test_every_class_is_a_row_of_the_identity(rng, shape):
    x = rng.integers(0, 4, shape)
    rows = utils.to_categorical(x, 4)
    squeezed = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
    np.testing.assert_array_equal(rows, np.eye(4)[x.reshape(squeezed)])
    assert rows.dtype == np.float64


def test_without_num_classes_the_largest_class_tells():
    np.testing.assert_array_equal(utils.to_categorical([0, 2]), [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(utils.to_categorical([0.0, 1.0]), np.eye(2))


@pytest.mark.parametrize(
    ("x", "classes", "message"),
    [
        ([0, 3], 3, r"expected classes in \[0, 3\), got 0 to 3"),
        ([-1, 0], 3, r"expected classes in \[0, 3\), got -1 to 0"),
        ([0.5], 3, "expected integers, got float64"),
    ],
)
def test_classes_that_do_not_fit_are_refused(x, classes, message):
    with pytest.raises(ValueError, match=message):
        data.to_categorical(x, classes)


def test_vectors_are_divided_by_their_norm(rng):
    x = rng.standard_normal((3, 4, 5))
    x[0, :, 0] = 0
    for axis in (0, 1, -1):
        for order in (1, 2, np.inf):
            norm = np.max(np.abs(x), axis) if order == np.inf else np.sum(np.abs(x) ** order, axis) ** (1 / order)
            norm[norm == 0] = 1
            np.testing.assert_allclose(data.normalize(x, axis, order), x / np.expand_dims(norm, axis), rtol=1e-12)
