import hashlib

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.testing import check_op


def reference(x, l1=0.0, l2=0.0):
    flat = np.ravel(x)
    return l1 * np.linalg.norm(flat, 1) + l2 * np.dot(flat, flat)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 15, 16, 17, 33, 70_000])
def test_matches_reference(rng, n):
    x = rng.choice([-1, 1], n) * rng.uniform(0.1, 2, n)  # away from the kink at 0
    check_op(ops.penalty, reference, x, l1=0.2, l2=0.05)


def test_any_shape(rng):
    for factors in ({"l1": 0.3}, {"l2": 0.7}, {}):
        check_op(ops.penalty, reference, rng.uniform(0.1, 1, (3, 4, 5)), **factors)
    check_op(ops.penalty, reference, np.array(-2.0), l1=0.01, l2=0.01)


def test_zeros_have_no_gradient():
    _, pullback = vjp(lambda x: ops.penalty(x, 1.0, 1.0), np.array([0.0, -0.0, 1.0, -1.0]))
    np.testing.assert_array_equal(pullback(np.array(1.0))[0], [0, 0, 3, -3])


def test_bits_do_not_depend_on_threads(rng):
    x = rng.standard_normal(200_000).astype(np.float32)
    before, found = backend.get_num_threads(), set()
    for n in (1, 2, 3):
        backend.set_num_threads(n)
        y, pullback = vjp(lambda a: ops.penalty(a, 0.1, 0.2), x)
        found.add(hashlib.sha256(y.tobytes() + pullback(np.ones_like(y))[0].tobytes()).hexdigest())
    backend.set_num_threads(before)
    assert len(found) == 1
