import numpy as np
import pytest

from fastnn import Input, ops
from fastnn.testing import check_op


@pytest.fixture
def isa():
    """Moving elements is the same on every instruction set; `take` and `concatenate` have tests of their own."""


def cases():
    return [
        ("swapaxes", {"axis1": 0, "axis2": -1}),
        ("moveaxis", {"source": 0, "destination": 2}),
        ("moveaxis", {"source": (0, 2), "destination": (-1, 0)}),
        ("ravel", {}),
        ("flipud", {}),
        ("fliplr", {}),
        ("diff", {}),
        ("diff", {"n": 2, "axis": 1}),
        ("diff", {"n": 0}),
        ("flip", {}),
        ("flip", {"axis": (0, -1)}),
        ("roll", {"shift": 3}),
        ("roll", {"shift": -1, "axis": 1}),
        ("roll", {"shift": (1, 7), "axis": (0, 2)}),
        ("repeat", {"repeats": 2}),
        ("repeat", {"repeats": [1, 0, 3], "axis": 1}),
        ("tile", {"repeats": 2}),
        ("tile", {"repeats": (2, 1, 1, 3)}),
        ("tril", {"k": 1}),
        ("triu", {"k": -1}),
        ("diagonal", {"offset": 1}),
        ("diagonal", {"axis1": 2, "axis2": 1}),
        ("trace", {"offset": -1}),
        *(("rot90", {"k": k, "axes": axes}) for k in (-1, 0, 1, 2, 5) for axes in ((0, 1), (2, 0))),
    ]


@pytest.mark.parametrize(("name", "options"), cases())
def test_as_numpy(rng, name, options):
    translated = {"repeats": "reps"} if name == "tile" else {}
    reference = getattr(np, name)
    x = rng.standard_normal((2, 3, 4))
    check_op(
        getattr(ops, name),
        lambda x, **given: reference(x, **{translated.get(key, key): value for key, value in given.items()}),
        x,
        linear=(0,),
        **options,
    )


@pytest.mark.parametrize("k", [0, 1, -2])
def test_diag(rng, k):
    check_op(ops.diag, np.diag, rng.standard_normal(4), k=k, linear=(0,))
    check_op(ops.diag, np.diag, rng.standard_normal((4, 3)), k=k, linear=(0,))


def test_stacks_and_parts(rng):
    x = rng.standard_normal((3, 4))
    check_op(lambda a, b: ops.vstack([a, b]), lambda a, b: np.vstack([a, b]), x, x[0])
    check_op(lambda a, b: ops.hstack([a, b]), lambda a, b: np.hstack([a, b]), x, x[:, :1])
    check_op(lambda a, b: ops.hstack([a, b]), lambda a, b: np.hstack([a, b]), x[0], x[1])
    check_op(lambda x: ops.unstack(x, axis=1)[2], lambda x: x[:, 2], x)
    assert len(ops.unstack(x, 3)) == 3


def test_integers_stay_integers():
    x = np.arange(6).reshape(2, 3)
    for name, options in (("roll", {"shift": 1}), ("repeat", {"repeats": 2}), ("tile", {"repeats": 2}), ("flip", {})):
        y = getattr(ops, name)(x, **options)
        assert y.dtype == x.dtype
    np.testing.assert_array_equal(ops.repeat(x, 2), np.repeat(x, 2))


def test_symbolic_shapes():
    x = Input((3, 4))
    assert ops.swapaxes(x, 1, 2).shape == (None, 4, 3)
    assert ops.flip(x, 1).shape == (None, 3, 4)
    assert ops.repeat(x, 2, axis=1).shape == (None, 6, 4)
    assert ops.einsum("nij,jk->nik", x, np.ones((4, 5), "float32")).shape == (None, 3, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.moveaxis(x, (0, 1), 0), r"\[moveaxis\] expected as many axes in both, each once, got"),
        (lambda x: ops.swapaxes(x, 0, 2), r"\[swapaxes\] expected axis in \[-2, 2\), got 2"),
        (lambda x: ops.unstack(x, 3), r"\[unstack\] expected num 2 for axis 0 of \(2, 3\), got 3"),
        (lambda x: ops.diag(x[None]), r"\[diag\] expected x with 1 or 2 axes, got \(1, 2, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((2, 3), "float32"))


@pytest.mark.parametrize("shape", [(4,), (4, 6), (4, 6, 2)])
def test_parts_and_stacks_in_depth_are_those_of_numpy(rng, shape):
    a, b = rng.standard_normal((2, *shape))
    np.testing.assert_array_equal(ops.dstack([a, b]), np.dstack([a, b]))
    np.testing.assert_array_equal(ops.append(a, b), np.append(a, b))
    np.testing.assert_array_equal(ops.append(a, b, axis=0), np.append(a, b, axis=0))
    for cut, arguments in (("hsplit", (2,)), ("vsplit", ([1, 3],)), ("array_split", (3,)), ("array_split", ([1], -1))):
        if cut == "vsplit" and len(shape) == 1:  # which NumPy refuses
            continue
        for ours, theirs in zip(getattr(ops, cut)(a, *arguments), getattr(np, cut)(a, *arguments), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for call, message in (
        (lambda: ops.array_split(a, 0), "expected 1 part or more, got 0"),
        (lambda: ops.diff(a, -1), "expected n >= 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_gradients_of_stacks_and_parts(rng):
    a, b = rng.standard_normal((2, 3, 4))
    check_op(lambda a, b: ops.dstack([a, b]), lambda a, b: np.dstack([a, b]), a, b)
    check_op(ops.append, np.append, a, b)
    check_op(lambda a: ops.array_split(a, 3, axis=1)[0], lambda a: np.array_split(a, 3, axis=1)[0], a, linear=(0,))


@pytest.mark.parametrize("axes", [[0, 1, 5], [0, 0, 1], [0, 1, -4]])
def test_an_axis_out_of_range_is_not_wrapped_around(axes):
    for x in (np.zeros((2, 3, 4)), Input(batch_shape=(2, 3, 4))):
        with pytest.raises(ValueError, match=r"\[transpose\] expected each axis of x \(2, 3, 4\) once"):
            ops.transpose(x, axes)


def test_only_minus_one_stands_for_what_is_left():
    for shape in ((-2, 10), (-1, -1, 5), (-1, -2, 10)):
        with pytest.raises(ValueError, match=r"\[reshape\] expected a shape of 20 elements"):
            ops.reshape(np.zeros(20), shape)


def test_vector_products(rng):
    check_op(ops.cross, np.cross, rng.standard_normal((4, 3)), rng.standard_normal((5, 1, 3)))
    flat, other = rng.standard_normal((4, 2)), rng.standard_normal((5, 1, 2))
    deep, wide = np.pad(flat, ((0, 0), (0, 1))), rng.standard_normal((4, 3))
    check_op(ops.cross, lambda a, b: a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], flat, other)
    check_op(ops.cross, lambda a, b: np.cross(np.pad(a, ((0, 0), (0, 1))), b), flat, wide)
    np.testing.assert_allclose(ops.cross(wide, flat), np.cross(wide, deep))
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 3))
    check_op(lambda a, b: ops.cross(a, b, axisa=0, axisc=0), lambda a, b: np.cross(a, b, axisa=0, axisc=0), a, b)
    with pytest.raises(ValueError, match=r"\[cross\] expected vectors of 2 or 3 components, got 4 and 3"):
        ops.cross(np.ones(4), np.ones(3))


@pytest.mark.parametrize("indexing", ["xy", "ij"])
def test_grids(rng, indexing):
    lines = [rng.standard_normal(n) for n in (2, 3, 4)]
    for count in (0, 1, 2, 3):
        found, wanted = ops.meshgrid(*lines[:count], indexing=indexing), np.meshgrid(*lines[:count], indexing=indexing)
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


def test_places_and_members():
    np.testing.assert_array_equal(ops.searchsorted([1, 2, 2, 5], np.array([2, 9]), side="right"), [3, 4])
    np.testing.assert_array_equal(ops.digitize(np.array([0.0, 1, 6.5]), [1, 3, 6]), [0, 1, 3])
    np.testing.assert_array_equal(ops.isin(np.array([1, 2]), [2, 7]), [False, True])
    assert [a.tolist() for a in ops.nonzero(np.array([[0, 3], [4, 0]]))] == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match=r"\[searchsorted\] expected a sequence with 1 axis"):
        ops.searchsorted(np.ones((2, 2)), 1.0)


def test_what_an_array_is():
    x = np.ones((2, 3), np.float32)
    y = ops.copy(x)
    y[0] = 2
    assert x.sum() == 6
    assert ops.dtype(x) == "float32"
    assert ops.is_tensor(x) and not ops.is_tensor([1.0]) and not ops.is_tensor(Input((2,)))
    assert ops.empty_like(x, "float64").dtype == np.float64
