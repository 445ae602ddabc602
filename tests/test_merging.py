"""Layers of several inputs, and those that move axes about."""

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, layers, ops, optimizers
from fastnn.testing import gradcheck

ELEMENTWISE = {
    "Add": lambda *xs: sum(xs),
    "Multiply": lambda *xs: np.prod(np.broadcast_arrays(*xs), axis=0),
    "Average": lambda *xs: sum(xs) / len(xs),
    "Maximum": lambda *xs: np.max(np.broadcast_arrays(*xs), axis=0),
    "Minimum": lambda *xs: np.min(np.broadcast_arrays(*xs), axis=0),
}


def arrays(rng, *shapes, dtype="float32"):
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shapes", [((2, 3, 4),) * 3, ((2, 3, 4), (2, 1, 4)), ((2, 3, 4), (2, 4)), ((2, 5),)])
def test_elementwise_merges(rng, name, shapes):
    xs = arrays(rng, *shapes)
    wide = [x[:, None] if x.ndim < xs[0].ndim else x for x in xs]
    expected = ELEMENTWISE[name](*wide)
    layer = getattr(layers, name)()
    np.testing.assert_allclose(layer(xs), expected, rtol=1e-6)
    np.testing.assert_array_equal(getattr(layers, name.lower())(xs), layer(xs))
    inputs = [Input(shape[1:]) for shape in shapes]
    made = layer(inputs)
    assert made.shape == (None, *expected.shape[1:])
    np.testing.assert_array_equal(Model(inputs, made)(xs), layer(xs))


def test_subtract_takes_two(rng):
    a, b = arrays(rng, (3, 4), (3, 4))
    np.testing.assert_array_equal(layers.Subtract()([a, b]), a - b)
    np.testing.assert_array_equal(layers.subtract([a, b]), a - b)
    for count in (1, 3):
        with pytest.raises(ValueError, match=f"expected a list of 2 inputs, got {count}"):
            layers.Subtract()([a] * count)


@pytest.mark.parametrize(("axis", "shapes"), [(-1, ((2, 3), (2, 5))), (1, ((2, 3, 4), (2, 1, 4))), (-2, ((2, 3, 4),))])
def test_concatenate(rng, axis, shapes):
    xs = arrays(rng, *shapes)
    layer = layers.Concatenate(axis)
    np.testing.assert_array_equal(layer(xs), np.concatenate(xs, axis))
    np.testing.assert_array_equal(layers.concatenate(xs, axis=axis), np.concatenate(xs, axis))
    assert layer.compute_output_shape([(None, *s[1:]) for s in shapes])[1:] == np.concatenate(xs, axis).shape[1:]
    assert layers.Concatenate.from_config(layer.get_config()).axis == axis


@pytest.mark.parametrize(
    ("axes", "shapes", "letters"),
    [
        (1, ((2, 4), (2, 4)), "nk,nk->n"),
        (-1, ((2, 3, 4), (2, 5, 4)), "nak,nbk->nab"),
        ((1, 2), ((2, 3, 5), (2, 10, 3)), "nka,nbk->nab"),
        ((2, 1), ((2, 3, 4), (2, 4)), "nak,nk->na"),
        ((3, 1), ((2, 3, 5, 4), (2, 4, 6, 2)), "nabk,nkcd->nabcd"),
    ],
)
@pytest.mark.parametrize("normalize", [False, True])
def test_dot(rng, axes, shapes, letters, normalize):
    xs = arrays(rng, *shapes, dtype="float64")
    layer = layers.Dot(axes, normalize, dtype="float64")
    a1, a2 = (axes, axes) if isinstance(axes, int) else axes
    scaled = xs
    if normalize:
        scaled = [x / np.linalg.norm(x, axis=a, keepdims=True) for x, a in zip(xs, (a1, a2), strict=True)]
    expected = np.einsum(letters, *scaled)
    expected = expected[:, None] if expected.ndim == 1 else expected
    np.testing.assert_allclose(layer(xs), expected, rtol=1e-12, atol=1e-12)
    assert layer.compute_output_shape([(None, *s[1:]) for s in shapes]) == (None, *expected.shape[1:])
    gradcheck(lambda a, b: layer([a, b]), *xs)


def test_a_vector_of_zeros_has_a_gradient_when_normalized():
    x = np.zeros((1, 3))
    with fastnn.GradientTape() as tape:
        z = tape.watch(x)
        loss = ops.sum(layers.Dot(1, normalize=True, dtype="float64")([z, np.ones((1, 3))]))
    assert np.all(np.isfinite(tape.gradient(loss, z)))


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Subtract", "Concatenate"])
def test_gradients(rng, name):
    layer = getattr(layers, name)(dtype="float64")
    gradcheck(lambda a, b: layer([a, b]), *arrays(rng, (2, 3), (2, 3), dtype="float64"))


def test_what_does_not_fit_is_refused(rng):
    a, b = arrays(rng, (2, 3), (2, 4))
    cases = [
        (layers.Add, [a, b], r"expected inputs whose shapes broadcast together, got \(None, 3\) and \(None, 4\)"),
        (layers.Add, a, r"expected a list of inputs, got one of shape \(None, 3\)"),
        (layers.Concatenate, a, "expected a list of inputs, got one of shape"),
        (layers.Concatenate, [a, b[:, None]], "expected inputs of one number of axes"),
        (lambda: layers.Concatenate(1), [a[:, None], b[:, None]], "expected inputs that differ in axis 1 alone"),
        (lambda: layers.Concatenate(3), [a, a], r"expected axis in \[-2, 2\), got 3"),
        (lambda: layers.Dot(1), [a, b], "expected axes of one length, got 3 at axis 1"),
        (lambda: layers.Dot(0), [a, a], r"expected axes in \[1, 2\)"),
        (lambda: layers.Dot(1), [a], "expected a list of 2 inputs, got 1"),
    ]  # fmt: skip
    for layer, inputs, text in cases:
        with pytest.raises(ValueError, match=text):
            layer()(inputs)
    with pytest.raises(ValueError, match="expected inputs of one batch size"):
        layers.Add()([Input(batch_shape=(2, 3)), Input(batch_shape=(3, 3))])
    for axes in ((1,), (1, 2, 3), (1, "a")):
        with pytest.raises(ValueError, match=r"\[Dot\] expected axes as an integer or two of them"):
            layers.Dot(axes)
    with pytest.raises(TypeError, match=r"\[Dot\] expected axes"):
        layers.Dot("1")


def test_masks_of_several_inputs(rng):
    a, b = arrays(rng, (2, 3, 4), (2, 3, 4))
    first, second = np.array([[1, 1, 0], [1, 0, 0]], bool), np.array([[1, 0, 0], [1, 1, 0]], bool)
    either = first | second
    assert layers.Add().compute_mask([a, b], [first, None]) is None
    np.testing.assert_array_equal(layers.Add().compute_mask([a, b], [first, second]), either)
    np.testing.assert_array_equal(layers.Concatenate().compute_mask([a, b], [first, second]), either)
    along = layers.Concatenate(1).compute_mask([a, b], [first, None])
    np.testing.assert_array_equal(along, np.concatenate([first, np.ones((2, 3), bool)], 1))


def test_permute_repeat_and_identity(rng):
    (x,) = arrays(rng, (2, 3, 4))
    np.testing.assert_array_equal(layers.Permute((2, 1))(x), x.transpose(0, 2, 1))
    assert layers.Permute((2, 1)).compute_output_shape((None, 3, 4)) == (None, 4, 3)
    np.testing.assert_array_equal(layers.RepeatVector(5)(x[:, 0]), np.repeat(x[:, :1], 5, 1))
    assert layers.RepeatVector(5).compute_output_shape((None, 4)) == (None, 5, 4)
    assert layers.Identity()(x) is x
    gradcheck(layers.RepeatVector(3, dtype="float64"), *arrays(rng, (2, 4), dtype="float64"))
    gradcheck(layers.Permute((2, 1), dtype="float64"), *arrays(rng, (2, 3, 2), dtype="float64"))
    with pytest.raises(ValueError, match=r"\[Permute\] expected each of 1 to 2 once, got \(0, 1\)"):
        layers.Permute((0, 1))
    with pytest.raises(ValueError, match=r"expected x with 3 axes, got \(2, 4\)"):
        layers.Permute((2, 1))(x[:, 0])
    with pytest.raises(ValueError, match=r"expected x with 2 axes \(n, i\)"):
        layers.RepeatVector(2)(x)
    with pytest.raises(TypeError, match=r"\[RepeatVector\] expected n to be an integer"):
        layers.RepeatVector(2.5)
    with pytest.raises(ValueError, match=r"\[RepeatVector\] expected n >= 1, got 0"):
        layers.RepeatVector(0)
    with pytest.raises(ValueError, match=r"\[Reshape\] expected lengths >= 0 or -1, got \(-2, 5\)"):
        layers.Reshape((-2, 5))
    for layer in (layers.Permute((2, 1)), layers.RepeatVector(5), layers.Identity(), layers.Dot((1, 2)), layers.Add()):
        assert layers.deserialize(layers.serialize(layer)).get_config() == layer.get_config()


def test_merges_are_replayed_and_train_as_python_does(rng):
    x, y = arrays(rng, (24, 4), (24, 2))
    found = []
    for eager in (False, True):
        fastnn.random.set_random_seed(1)
        a = Input((4,))
        b, c = layers.Dense(4, "tanh")(a), layers.Dense(4)(a)
        merged = [layers.Add()([a, b]), layers.Multiply()([a, c]), layers.Average()([a, b, c])]
        merged += [layers.Maximum()([b, c]), layers.Minimum()([b, c]), layers.Subtract()([a, c]), layers.Dot(1)([b, c])]
        merged.append(layers.Flatten()(layers.Permute((2, 1))(layers.RepeatVector(2)(b))))
        model = Model(a, layers.Dense(2)(layers.Concatenate()(merged)))
        model.compile(optimizers.Adam(0.01), "mse", run_eagerly=eager)
        figures = [model.train_on_batch(x, y) for _ in range(5)]
        assert bool(model._steps_now()._training and model._steps_now()._training._steps) == (not eager)
        found.append((figures, [w.tobytes() for w in model.get_weights()]))
    assert found[0] == found[1]


@pytest.mark.parametrize("layer", [layers.Add(), layers.Subtract(), layers.Maximum(), layers.Concatenate()])
def test_masks_that_are_no_list_of_as_many_are_refused(layer):
    a, mask = Input((4, 5)), np.ones((2, 4), bool)
    for inputs, given in (([a, a], mask), (a, [None, None]), ([a, a], [None])):
        with pytest.raises(ValueError, match="expected a list of inputs and one of as many masks, got"):
            layer.compute_mask(inputs, given)


def test_concatenate_of_inputs_without_masks_has_none():
    x = np.zeros((2, 3, 4), "float32")
    assert layers.Concatenate().compute_mask([x, x], [None, None]) is None
