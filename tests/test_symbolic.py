"""Symbolic tensors: shapes of ops and layers without data, and what an error says while a graph is built."""

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import Model, layers, ops
from fastnn.layers import Dense, Input, InputLayer, InputSpec, Layer
from fastnn.operators import dispatch
from fastnn.symbolic import SymbolicTensor, is_symbolic, symbols


class Pair(Layer):
    """Two outputs, found without a compute_output_shape."""

    def call(self, x, scale=1.0):
        return {"twice": x * 2.0, "sum": [ops.sum(x, axis=-1) * scale]}


def test_operators_make_nodes_and_shapes():
    x, y = Input((4,)), Input((4,))
    cases = [
        (x + y, (None, 4)), (2 - x, (None, 4)), (x * np.ones((3, 1, 4), "float32"), (3, None, 4)), (-x / 3, (None, 4)),
        (x[:, 0], (None,)), (x[:, 1:3], (None, 2)), (x[:, None], (None, 1, 4)), (x ** 2, (None, 4)),
        (x @ np.ones((4, 5), "float32"), (None, 5)), (x.sum(axis=1, keepdims=True), (None, 1)), (x.mean(), ()),
        (x.T, (4, None)), (x.reshape(-1, 2), (None, 2)), (np.ones(4, "float32") + x, (None, 4)), (abs(x), (None, 4)),
        (np.maximum(x, y), (None, 4)), (np.concatenate([x, y], axis=1), (None, 8)),
    ]  # fmt: skip
    for tensor, shape in cases:
        assert isinstance(tensor, SymbolicTensor) and tensor.shape == shape and tensor.dtype == "float32"
    assert (x > 0).dtype == bool and (x > 0).shape == (None, 4)
    assert ops.argmax(x, axis=-1).dtype == np.int64


@pytest.mark.parametrize(
    ("result", "shape"),
    [
        (lambda x: ops.concatenate([x, np.ones((1, 2, 4), "float32")], axis=-1), None),
        (lambda x: ops.stack([x, x], axis=1), (None, 2, 2, 4)),
        (lambda x: ops.split(x, 2, axis=2)[1], (None, 2, 2)),
        (lambda x: ops.clip(x, 0, 1), (None, 2, 4)),
        (lambda x: ops.where(x > 0, x, 0.0), (None, 2, 4)),
        (lambda x: ops.dot(x, np.ones((4, 3), "float32")), (None, 2, 3)),
        (lambda x: ops.dropout(x, 0.5, seed=1), (None, 2, 4)),
        (lambda x: ops.reshape(x, (-1, 16)), (None, 16)),  # a batch of 3 does not fill it
        (lambda x: ops.transpose(x, (0, 2, 1)), (None, 4, 2)),
        (lambda x: ops.expand_dims(x, 0), (1, None, 2, 4)),
        (lambda x: ops.softmax(x=x), (None, 2, 4)),
        (lambda x: ops.sum(x, axis=(1, 2)), (None,)),
        (lambda x: ops.take(x, np.array([0, 1, 1]), axis=2), (None, 2, 3)),
    ],
)
def test_ops_find_their_shapes(result, shape):
    x = Input((2, 4))
    if shape is None:
        with pytest.raises(ValueError, match="concatenate"):
            result(x)
    else:
        assert result(x).shape == shape


def test_every_op_of_one_array_takes_a_symbolic_tensor():
    """Those that are no primitive have to be marked as composite if they ask for lengths."""
    x = Input((4,))
    needs_more = set()
    for name, op in dispatch.items():
        try:
            y = op(np.ones((2, 4), np.float32))
        except (TypeError, ValueError):  # more arguments, or other axes
            needs_more.add(name)
            continue
        known = {"shape": (None, 4), "ndim": 2, "size": None, "dtype": "float32", "is_tensor": False}
        if name in known:
            assert op(x) == known[name]
            continue
        if name in ("array", "convert_to_numpy", "unstack"):  # there are no values, and no number of samples
            with pytest.raises((TypeError, ValueError)):
                op(x)
            continue
        found = op(x)
        assert is_symbolic(found), name
        for made, real in zip(symbols(found), y if isinstance(y, (list, tuple)) else [y], strict=True):
            assert len(made.shape) == np.ndim(real) and made.dtype == np.asarray(real).dtype, name
    assert len(dispatch) - len(needs_more) > 50


def test_unknown_axes_stay_unknown():
    x = Input((None, 3))
    assert (x * 2).shape == (None, None, 3)
    assert ops.mean(x, axis=1).shape == (None, 3)
    assert layers.Dense(5)(x).shape == (None, None, 5)


def test_unknown_lengths_that_meet_known_ones_are_these():
    x, table = Input((None, 3)), np.arange(30, dtype="float32").reshape(10, 3)
    y = x + table
    assert y.shape == (None, 10, 3) and ops.maximum(ops.mean(x, axis=-1), Input((10,))).shape == (None, 10)
    given = np.ones((2, 10, 3), "float32")
    np.testing.assert_array_equal(Model(x, y)(given), given + table)
    with pytest.raises(ValueError, match=r"\[add\] expected shapes that broadcast together"):
        x + np.ones((10, 4), "float32")


def test_input_takes_kerass_arguments():
    x = Input((4,), dtype="int32", name="words")
    assert x.dtype == "int32" and x.name == "words" and x.node.operation.name == "words"
    assert Input(tensor=x).shape == (None, 4) and Input(tensor=x).dtype == "int32"
    assert Input((2,), 8, "float64").shape == (8, 2)
    with pytest.raises(ValueError, match=r"\[InputLayer\] expected neither sparse nor ragged"):
        Input((2,), sparse=True)
    with pytest.raises(ValueError, match=r"\[Input\] expected dtype float32 or float64, got complex64"):
        Input((2,), dtype="complex64")


def test_a_layer_is_built_by_a_symbolic_call_and_knows_input_and_output():
    x = Input((4,), name="x")
    dense = layers.Dense(3, name="hidden")
    with pytest.raises(AttributeError, match=r"\[hidden\] expected a layer of a graph, got one without output"):
        _ = dense.output
    y = dense(x)
    assert dense.built and dense.kernel.shape == (4, 3)
    assert dense.input is x and dense.output is y and y.node.operation is dense and y.shape == (None, 3)


def test_outputs_in_any_nesting():
    y = Pair()(Input((4,)))
    assert y["twice"].shape == (None, 4) and y["sum"][0].shape == (None,)
    assert Pair()(Input((4,)), scale=2.0)["sum"][0].shape == (None,)


def test_a_symbolic_tensor_has_no_values():
    x = Input((2,))
    for use in (float, bool, len, list, np.asarray):
        with pytest.raises(TypeError, match="has no values yet"):
            use(x)
    with pytest.raises(TypeError, match=r"\[numpy.unwrap\] expected arrays, got a SymbolicTensor"):
        np.unwrap(x)


def test_building_a_graph_inside_a_tape_records_nothing():
    x = Input((4,))
    with fastnn.GradientTape() as tape:
        y = layers.Dense(3)(x) * 2.0
        assert y.shape == (None, 3) and isinstance(x + 1.0, SymbolicTensor)
    assert tape.watched_variables() == []


def test_copies_of_a_layer_are_in_no_graph():
    dense = layers.Dense(3)
    dense(Input((4,)))
    for twin in (copy.deepcopy(dense), pickle.loads(pickle.dumps(dense))):
        assert "_nodes" not in vars(twin)
        np.testing.assert_array_equal(twin.kernel.numpy(), dense.kernel.numpy())
    front = Input((4,), dtype="int64", name="front").node.operation
    twin = copy.deepcopy(front)
    assert twin.output is not front.output and twin.output.shape == (None, 4) and twin.dtype == "int64"


# ---- what an error says -------------------------------------------------------------------------------------------


def message(build):
    with pytest.raises((ValueError, TypeError, IndexError)) as caught:
        build()
    return str(caught.value)


def test_an_error_of_a_layer_names_it_and_the_shapes_that_led_there():
    x = layers.Dense(6, name="wide")(Input((4,), name="table"))
    text = message(lambda: layers.Reshape((2, 2), name="square")(x))
    assert "[square] expected (2, 2) to hold the 6 elements of a sample (6,)" in text
    assert "at Reshape 'square'" in text
    assert "shapes so far: table (None, 4) -> wide (None, 6)" in text


def test_an_error_of_an_op_names_it_and_both_ways():
    x, y = Input((4,), name="left"), layers.Dense(3, name="right")(Input((5,), name="other"))
    text = message(lambda: x + y)
    assert "[elementwise]" in text or "[add]" in text
    assert "at add 'add" in text
    assert "shapes so far: left (None, 4)\n  and other (None, 5) -> right (None, 3)" in text


def test_a_shared_layer_refuses_another_width():
    shared = layers.Dense(3, name="shared")
    shared(Input((4,)))
    assert "[shared] expected i = 4, got i = 5 in (n, i = 5)" in message(lambda: shared(Input((5,))))


@pytest.mark.parametrize(
    ("spec", "shape", "text"),
    [
        (InputSpec(ndim=4), (None, 8, 8), "expected an input with 4 axes (n, h, w, c), got 3: (n, t = 8, i = 8)"),
        (InputSpec(min_ndim=3), (None, 8), "expected an input with at least 3 axes (n, t, i), got (n, i = 8)"),
        (InputSpec(max_ndim=2), (None, 8, 1), "expected an input with at most 2 axes (n, i), got (n, t = 8, i = 1)"),
        (InputSpec(shape=(None, 8)), (None, 9), "expected i = 8, got i = 9 in (n, i = 9)"),
        (InputSpec(axes={-1: 3}), (None, 8, 8, 4), "expected c = 3, got c = 4 in (n, h = 8, w = 8, c = 4)"),
    ],
)
def test_input_specs_are_checked(spec, shape, text):
    class Picky(Layer):
        input_spec = spec

        def call(self, x):
            return x

    assert text in message(lambda: Picky(name="picky")(SymbolicTensor(shape)))


def test_input_specs_may_allow_an_axis_of_length_one():
    spec = InputSpec(shape=(None, 8, 1), allow_last_axis_squeeze=True)
    spec.check((None, 8), "x")
    InputSpec(shape=(None, 8), allow_last_axis_squeeze=True).check((None, 8, 1), "x")
    with pytest.raises(ValueError, match="expected an input with 3 axes"):
        spec.check((None,), "x")
    assert InputSpec.from_config(InputSpec(ndim=2, axes={"1": 3}).get_config()).axes == {1: 3}
    with pytest.raises(ValueError, match="expected axes below 2, got 2"):
        InputSpec(ndim=2, axes={2: 3})


@pytest.mark.parametrize(
    ("build", "parts"),
    [
        (
            lambda x: layers.Add(name="join")([x, layers.Dense(3, name="narrow")(x)]),
            [
                "[join] expected inputs whose shapes broadcast together, got (None, 4) and (None, 3)",
                "bring one input to the other's shape first",
                "at Add 'join'\n  shapes so far: x (None, 4)\n  and x (None, 4) -> narrow (None, 3)",
            ],
        ),
        (
            lambda x: layers.Concatenate(name="join")([x, layers.Reshape((2, 2), name="square")(x)]),
            ["[join] expected inputs of one number of axes", "insert Flatten() or Reshape() before it"],
        ),
        (lambda x: layers.Add(name="join")(x), ["[join] expected a list of inputs", "write layer([a, b])"]),
        (
            lambda x: layers.Dot((1, 1), name="dot")([x, layers.Dense(3)(x)]),
            ["[dot] expected axes of one length, got 4 at axis 1 of (None, 4) and 3 at axis 1", "choose other axes"],
        ),
        (
            lambda x: layers.Reshape((3, 2), name="square")(x),
            ["[square] expected (3, 2) to hold the 4 elements of a sample (4,)", "a -1 in it stands for what is left"],
        ),
        (
            lambda x: layers.Permute((2, 1), name="turn")(x),
            ["[turn] expected an input with 3 axes (n, t, i), got 2: (n, i = 4)", "insert Reshape((t, i))"],
        ),
        (
            lambda x: layers.RepeatVector(2, name="again")(layers.Reshape((2, 2), name="square")(x)),
            ["[again] expected an input with 2 axes (n, i), got 3: (n, t = 2, i = 2)", "insert Flatten() before it"],
        ),
        (
            lambda x: (shared := layers.Dense(2, name="shared"))(shared(x)),
            ["[shared] expected i = 4, got i = 2 in (n, i = 2)", "built for 4", "x (None, 4) -> shared (None, 2)"],
        ),
        (
            lambda x: layers.Dense(2, name="wide")(Input((None,), name="words")),
            ["[wide] expected an input whose last axis has a known length", "at Dense 'wide'", "words (None, None)"],
        ),
        (
            lambda x: x @ np.ones((3, 2), "float32"),
            ["[matmul] expected x2 with 4 rows", "at matmul 'matmul", "shapes so far: x (None, 4)"],
        ),
        (
            lambda x: fastnn.Sequential([layers.Dense(3), layers.Reshape((2, 2))], name="net")(x),
            ["to hold the 3 elements of a sample (3,)", "in layer 1 of net"],
        ),
        (
            lambda x: fastnn.Model(a := Input((3,), name="a"), layers.Dense(2)(a), name="net")(x),
            ["[net/a] expected i = 3, got i = 4 in (n, i = 4)", "at Functional 'net'"],
        ),
    ],
)  # fmt: skip
def test_the_commonest_mistakes_are_told_with_a_way_out(build, parts):
    text = message(lambda: build(Input((4,), name="x")))
    for part in parts:
        assert part in text, text


def test_an_input_takes_a_symbolic_tensor_and_what_agrees_with_it():
    free = fastnn.KerasTensor((2, 3), "float64")
    layer = InputLayer((3,), 2, "float64", input_tensor=free)
    assert layer.output is free and layer.batch_shape == (2, 3) and layer.dtype == "float64"
    assert (layer.sparse, layer.ragged, layer.output.sparse, layer.call()) == (False, False, False, None)
    taken = Dense(4)(Input((5,)))
    beside = Input(tensor=taken)  # what a call has made stays its output
    assert beside is not taken and beside.shape == taken.shape and taken.node is not beside.node
    wrong = [{"shape": (4,)}, {"batch_shape": (2, 4)}, {"batch_size": 5}, {"dtype": "float32"}]
    for options in wrong:
        (name,) = options
        with pytest.raises(ValueError, match=rf"\[InputLayer\] expected {name} of input_tensor, .*, got"):
            InputLayer(input_tensor=fastnn.KerasTensor((2, 3), "float64"), **options)
    with pytest.raises(ValueError, match="expected input_tensor as a symbolic tensor, got ndarray"):
        InputLayer(input_tensor=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"expected batch_size or batch_shape, got 4 and \(2, 3\)"):
        InputLayer(batch_size=4, batch_shape=(2, 3))
    with pytest.warns(UserWarning, match="expected shape, got input_shape, its old name"):
        assert InputLayer(input_shape=(2, 3)).batch_shape == (None, 2, 3)
    assert InputLayer(batch_input_shape=(4, 2)).batch_shape == (4, 2)
    with pytest.raises(TypeError, match="expected other arguments than form"):
        InputLayer((2,), form=3)
