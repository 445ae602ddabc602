import hashlib

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import GradientTape, Variable, vjp
from fastnn.layers import Embedding
from fastnn.masks import mask_of
from fastnn.testing import check_op, covering, covering_sample, missing_pairs


@pytest.mark.parametrize("inner", [1, 7, 8, 9, 15, 16, 17, 33])
def test_takes_rows(rng, inner):
    indices = np.array([[3, 0, -1], [3, 3, -4]])
    check_op(ops.take, np.take, rng.standard_normal((4, inner)), indices, axis=0, linear=[0])


FACTORS = {
    "n": [0, 1, 3, 32],
    "t": [0, 1, 2, 17],
    "width": [1, 7, 16, 33],
    "rows": [1, 5, 40],
    "kind": ["int64", "int32", "uint8"],
    "chosen": ["any", "one", "negative"],
}
SAMPLE = covering_sample(FACTORS, lambda kind, chosen, **others: (kind, chosen) != ("uint8", "negative"), count=30)


def test_every_pair_of_settings_is_in_the_sample():
    assert missing_pairs(FACTORS, SAMPLE) == {(("kind", "uint8"), ("chosen", "negative"))}


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: "-".join(map(str, case.values())))
def test_rows_of_a_table_by_sequences_of_indices(rng, case):
    shape, rows = (case["n"], case["t"]), case["rows"]
    indices = rng.integers(-rows if case["chosen"] == "negative" else 0, rows, shape)
    if case["chosen"] == "one":
        indices[...] = rows - 1

    def reference(table, chosen):
        y = np.zeros((*shape, case["width"]))
        for at in np.ndindex(shape):
            y[at] = table[chosen[at]]
        return y

    table = rng.standard_normal((rows, case["width"]))
    check_op(lambda x, chosen: ops.take(x, chosen, 0), reference, table, indices.astype(case["kind"]), linear=[0])


EMBEDDING = {
    "n": [3, 1, 32],
    "t": [17, 2, 1, 0],
    "rows": [40, 5, 2],
    "width": [7, 16, 33, 1],
    "dtype": ["int64", "int32", "uint8", "float32"],
    "chosen": ["at random", "one alone", "each once", "ends"],
    "mask_zero": [True, False],
    "vectors": ["float32", "float64"],
}
EMBEDDINGS = covering(**EMBEDDING)


def words_of(rng, kind, n, t, rows):
    """Indices (n, t): many twice, all the same, none twice before all rows were there, or the first and last row."""
    if kind == "at random":
        return rng.integers(0, rows, (n, t))
    if kind == "one alone":
        return np.full((n, t), rows // 2)
    order = rng.permutation(rows) if kind == "each once" else np.array([0, rows - 1])
    return np.resize(order, n * t).reshape(n, t)


def test_every_pair_of_settings_is_in_the_sample_of_embeddings():
    assert not missing_pairs(EMBEDDING, EMBEDDINGS)


@pytest.mark.parametrize("case", EMBEDDINGS, ids=lambda case: "-".join(map(str, case.values())))
def test_embedding_gives_vectors_their_gradients_and_its_mask(rng, case):
    words = words_of(rng, case["chosen"], case["n"], case["t"], case["rows"]).astype(case["dtype"])
    layer = Embedding(case["rows"], case["width"], mask_zero=case["mask_zero"], dtype=case["vectors"])
    table = rng.standard_normal((case["rows"], case["width"])).astype(case["vectors"])
    layer.build()
    layer.set_weights([table])
    with GradientTape() as tape:
        y = layer(words)
        dy = rng.standard_normal(y.shape).astype(case["vectors"])
        loss = ops.sum(y * dy)
    assert y.dtype == case["vectors"] and y.shape == layer.compute_output_shape(words.shape)
    expected = np.zeros(table.shape)
    for i, slope in zip(words.ravel().astype(int), dy.reshape(-1, case["width"]), strict=True):
        expected[i] += slope
    np.testing.assert_array_equal(y.numpy(), table[words.astype(int)])
    if case["mask_zero"]:
        np.testing.assert_array_equal(mask_of(y), words != 0)
    else:
        assert mask_of(y) is None
    limit = 2e-5 if case["vectors"] == "float32" else 1e-12
    np.testing.assert_allclose(tape.gradient(loss, layer.embeddings), expected, rtol=limit, atol=limit)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, -2])
@pytest.mark.parametrize("indices", [0, [1, 0, 1], [[0], [-1]], np.zeros((0,), int), np.array([1, 1], np.int32)])
def test_takes_along_any_axis(rng, axis, indices):
    x = rng.standard_normal((2, 3, 4))
    check_op(lambda a: ops.take(a, indices, axis), lambda a: np.take(a, indices, axis), x, linear=[0])


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.int32, np.int64, np.float16, bool, np.complex128, "U3", ">f4"]
)
def test_takes_from_any_dtype(dtype):
    x = np.arange(12).reshape(4, 3).astype(dtype)
    for v in (x, x[::2], x[:, ::2], x[::-1]):
        for axis in (0, 1):
            np.testing.assert_array_equal(ops.take(v, [1, 0, 1], axis), np.take(v, [1, 0, 1], axis))


def test_rows_far_apart_are_not_copied_first(rng):
    table = rng.standard_normal((1000, 64)).astype(np.float32)
    before = backend.memory_stats()["requests"]
    y = ops.take(table[:, 3:9], [5, 7], 0)
    assert backend.memory_stats()["requests"] - before == 1
    np.testing.assert_array_equal(y, table[[5, 7], 3:9])


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 3], r"\[take\] expected indices in \[-3, 3\), got 3 at position 1"),
        ([[0, 1], [-4, 0]], r"\[take\] expected indices in \[-3, 3\), got -4 at position 2"),
    ],
)
def test_indices_out_of_range_are_refused(indices, message):
    with pytest.raises(ValueError, match=message):
        ops.take(np.zeros((3, 2), np.float32), indices, axis=0)


def test_without_wrap_negative_indices_are_refused():
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(ops.take(x, np.array([2, 0]), axis=0, wrap=False), x[[2, 0]])
    with pytest.raises(ValueError, match=r"\[take\] expected indices in \[0, 3\), got -1 at position 1"):
        ops.take(x, np.array([2, -1]), axis=0, wrap=False)


def test_what_is_no_index_is_refused():
    with pytest.raises(TypeError, match=r"\[take\] expected integer indices, got float64"):
        ops.take(np.zeros(3, np.float32), [0.5])
    with pytest.raises(ValueError, match=r"\[take\] expected axis in \[-1, 1\), got 1"):
        ops.take(np.zeros(3, np.float32), [0], axis=1)
    with pytest.raises(ValueError, match=r"\[take\] expected indices in \[0, 0\), got 0 at position 0"):
        ops.take(np.zeros((0, 3), np.float32), [0], axis=0)


def test_out_is_filled_and_returned(rng):
    x = rng.standard_normal((5, 3)).astype(np.float32)
    for out in (np.empty((2, 3), np.float32), np.empty((2, 6), np.float32)[:, ::2]):
        assert ops.take(x, [4, 1], axis=0, out=out) is out
        np.testing.assert_array_equal(out, x[[4, 1]])
    with pytest.raises(ValueError, match=r"\[take\] expected out of shape \(2, 3\), got \(3, 2\)"):
        ops.take(x, [4, 1], axis=0, out=np.empty((3, 2), np.float32))


@pytest.mark.parametrize("shape", [(7, 3), (300, 200), (50, 9), (3000, 5)])
def test_bits_of_gradients_do_not_depend_on_threads(rng, shape):
    x = rng.standard_normal(shape).astype(np.float32)
    indices = rng.integers(-shape[0], shape[0], 4000)
    before = backend.get_num_threads()
    found = set()
    y, pullback = vjp(lambda a: ops.take(a, indices, axis=0), x)
    np.testing.assert_array_equal(y, x[indices])
    dy = rng.standard_normal(y.shape).astype(np.float32)
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        dx = pullback(dy)[0]
        found.add(hashlib.sha256(dx.tobytes()).hexdigest())
    backend.set_num_threads(before)
    assert len(found) == 1
    expected = np.zeros(shape)
    np.add.at(expected, indices, dy)
    np.testing.assert_allclose(dx, expected, rtol=1e-4, atol=1e-3)


def test_gradient_goes_to_the_buffer_of_a_variable(rng):
    table = Variable(rng.standard_normal((4, 3)).astype(np.float32))
    table.want = type(table.want)(np.full((4, 3), np.nan, np.float32))
    with GradientTape() as tape:
        y = ops.take(table, [1, 1], axis=0)
    dx = tape.gradient(y, table)
    assert dx is table.want.out
    np.testing.assert_array_equal(dx, [[0, 0, 0], [2, 2, 2], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("dtype", [None, "float64", "int32", "bool"])
def test_one_hot(axis, dtype):
    x = np.array([[0, 3, -1], [2, 4, 1]])
    expected = np.moveaxis(np.arange(4) == x[..., None], -1, axis)
    y = ops.one_hot(x, 4, axis, dtype)
    assert y.dtype == (dtype or "float32")
    np.testing.assert_array_equal(y, expected)
    assert ops.one_hot(3, 5).tolist() == [0, 0, 0, 1, 0]


def test_labels_may_be_floats_that_are_whole():
    np.testing.assert_array_equal(ops.one_hot(np.array([2.0, -1.0, 0.0]), 3), [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(ops.multi_hot(np.array([[2, 0]], "float32"), 3), [[1, 0, 1]])


def test_one_hot_of_no_integers_is_refused():
    with pytest.raises(TypeError, match=r"expected integer indices, got float64"):
        ops.one_hot([0.5], 2)
    with pytest.raises(ValueError, match=r"\[one_hot\] expected axis in \[-2, 2\), got 2"):
        ops.one_hot([1], 2, axis=2)


def test_classes_of_a_row_together(rng):
    x = rng.integers(0, 6, (5, 3))
    expected = np.zeros((5, 6))
    for row, classes in zip(expected, x, strict=True):
        row[classes] = 1
    np.testing.assert_array_equal(ops.multi_hot(x, 6), expected)
    np.testing.assert_array_equal(ops.multi_hot(x[0], 6), expected[0])
    assert ops.multi_hot(np.array([[0, 2]])).shape == (1, 3) and ops.multi_hot(x, 6, dtype="int32").dtype == np.int32
    with pytest.raises(ValueError, match="no sparse arrays"):
        ops.multi_hot(x, 6, sparse=True)
