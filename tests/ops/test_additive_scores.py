import hashlib

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.testing import check_op, covering


def plain(q, k, w=None):
    s = np.zeros((q.shape[0], q.shape[1], k.shape[1]))
    for i, j, c in np.ndindex(q.shape[1], k.shape[1], q.shape[2]):
        s[:, i, j] += (1 if w is None else w[c]) * np.tanh(q[:, i, c] + k[:, j, c])
    return s


CASES = covering(n=[1, 3, 32], tq=[2, 17, 1, 0], tk=[17, 1, 2, 0], d=[7, 33, 16, 1, 0], scaled=[True, False])


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_scores_are_the_formula_and_its_gradients(rng, case):
    n, tq, tk, d, scaled = case.values()
    q, k, w = rng.standard_normal((n, tq, d)), rng.standard_normal((n, tk, d)), rng.standard_normal(d)
    check_op(ops.additive_scores, plain, q, k, *([w] if scaled else []))


def test_bits_do_not_depend_on_threads(rng):
    q, k = (rng.standard_normal((9, 40, 24)).astype(np.float32) for _ in range(2))
    before, found = backend.get_num_threads(), set()
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        y, pullback = vjp(ops.additive_scores, q, k, np.ones(24, np.float32))
        found.add(hashlib.sha256(b"".join(x.tobytes() for x in (y, *pullback(y)))).hexdigest())
    backend.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (2, 3, 4), (4,)), r"\[additive_scores\] expected query and key with 3 axes"),
        (((2, 3, 5), (2, 3, 4), (4,)), r"\[additive_scores\] expected key \(2, t, 5\) for query \(2, 3, 5\), got"),
        (((2, 3, 4), (2, 3, 4), (3,)), r"\[additive_scores\] expected a scale \(4,\), got \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        ops.additive_scores(*map(np.zeros, shapes))
