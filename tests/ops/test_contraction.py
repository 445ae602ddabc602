import numpy as np
import pytest

from fastnn import ops
from fastnn.testing import check_op

SIZES = {"a": 2, "b": 3, "i": 2, "j": 3, "k": 4, "l": 2, "n": 2, "h": 2, "t": 3, "s": 4, "d": 2}


# Products, sums over what one operand alone has, batches, orders of the result, attention's two, three operands.
@pytest.mark.parametrize(
    "subscripts",
    [
        "ij,jk->ik", "ij,jk", "ij,kj->ki", "ij,ij->ij", "ij,ij->", "i,j->ji", "ij->ji", "ij->i", "ij->", "ij,k->ik",
        "nij,njk->nik", "nij,jk->nik", "nthd,nshd->nhts", "nhts,nshd->nthd", "ij,jk,kl->il", "ij,j,jk->k", "ijk,k->j",
        "ij, jk -> ik", "ii->i", "ii", "njj->n", "iji->ji", "iii->i", "ii,ij->j",
    ],
)  # fmt: skip
def test_einsum_as_numpy(rng, subscripts):
    operands = [
        rng.standard_normal([SIZES[label] for label in part.strip()]) for part in subscripts.split("->")[0].split(",")
    ]
    check_op(
        lambda *xs: ops.einsum(subscripts, *xs),
        lambda *xs: np.einsum(subscripts, *xs),
        *operands,
        linear=range(len(operands)),
    )


@pytest.mark.parametrize("subscripts", ["...ij,...jk->...ik", "...ij->...ji", "...ij,jk", "b...i,b...i->b..."])
def test_einsum_with_an_ellipsis(rng, subscripts):
    shapes = {"...ij": (2, 3, 4), "...jk": (2, 4, 5), "jk": (4, 5), "b...i": (2, 3, 4)}
    operands = [rng.standard_normal(shapes[part]) for part in subscripts.split("->")[0].split(",")]
    check_op(lambda *xs: ops.einsum(subscripts, *xs), lambda *xs: np.einsum(subscripts, *xs), *operands)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)], r"\[einsum\] expected one length for 'j' in 'ij,jk->ik', got 3 and 4"),
        ("ij,jk->ik", [(2, 3)], r"\[einsum\] expected 2 operands for 'ij,jk->ik', got 1"),
        ("ijk->k", [(2, 3)], r"\[einsum\] expected a letter for each axis of \(2, 3\), got 'ijk'"),
        ("ii->i", [(2, 3)], r"\[einsum\] expected one length for 'i' in 'ii->i', got 2 and 3"),
        ("ij->iz", [(2, 3)], r"\[einsum\] expected a result of the operands' letters, each once, got 'ij->iz'"),
    ],
)
def test_what_does_not_fit_is_refused(subscripts, shapes, message):
    with pytest.raises(ValueError, match=message):
        ops.einsum(subscripts, *(np.zeros(shape, "float32") for shape in shapes))


@pytest.mark.parametrize("axes", [0, 1, 2, ((0, 2), (1, 0)), (1, 1)])
def test_tensordot(rng, axes):
    pairs = {
        0: ((2, 3), (2,)),
        1: ((2, 3), (3, 4)),
        2: ((5, 2, 3), (2, 3, 4)),
        ((0, 2), (1, 0)): ((2, 5, 3), (3, 2, 4)),
    }
    a, b = pairs.get(axes, ((2, 3), (4, 3)))
    check_op(ops.tensordot, np.tensordot, rng.standard_normal(a), rng.standard_normal(b), axes=axes)


def test_tensordot_refuses_other_lengths():
    with pytest.raises(ValueError, match=r"\[tensordot\] expected axes of equal lengths, got \[3\] and \[2\]"):
        ops.tensordot(np.zeros((2, 3)), np.zeros((2, 3)), 1)


def test_inner_outer_and_vdot(rng):
    a, b = rng.standard_normal((2, 3)), rng.standard_normal((4, 3))
    check_op(ops.inner, np.inner, a, b)
    check_op(ops.outer, np.outer, a, b)
    check_op(ops.vdot, np.vdot, a, a + 1)


@pytest.mark.parametrize(("a", "b"), [((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((2, 3), (4, 3, 2)), ((), (3,))])
def test_dot_as_numpys(rng, a, b):
    check_op(ops.dot, np.dot, rng.standard_normal(a), rng.standard_normal(b))
