"""fuse(): batch normalisation and activations folded into the layers before them, for inference."""

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, Sequential, layers
from fastnn.models import fuse


def trained(model, shape, rng):
    """With weights and statistics that are not those of the start."""
    model(rng.standard_normal((2, *shape)).astype(np.float32))
    for v in model.variables:
        v.assign(rng.uniform(0.5, 1.5, v.shape) if "variance" in v.path else rng.standard_normal(v.shape) / 2)
    return model


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: layers.Conv2D(5, 3, padding="same", use_bias=False), (8, 7, 3)),
        (lambda: layers.Conv2D(6, 3, groups=3), (8, 7, 3)),
        (lambda: layers.Conv1D(5, 3, 2), (9, 3)),
        (lambda: layers.Conv3D(3, 2), (4, 4, 4, 2)),
        (lambda: layers.Conv2DTranspose(5, 3, 2), (4, 5, 3)),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 7, 3)),
        (lambda: layers.SeparableConv2D(5, 3), (8, 7, 3)),
        (lambda: layers.Dense(5), (6,)),
    ],
)
@pytest.mark.parametrize("activation", [[], [lambda: layers.ReLU()], [lambda: layers.Activation("gelu")]])
def test_results_stay(rng, layer, shape, activation):
    parts = [layer(), layers.BatchNormalization(), *(make() for make in activation), layers.Flatten(), layers.Dense(2)]
    model = trained(Sequential(parts), shape, rng)
    fused = fuse(model)
    assert [type(part) for part in fused.layers] == [type(parts[0]), layers.Flatten, layers.Dense]
    x = rng.standard_normal((3, *shape)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(fused.predict(x, verbose=0), expected, rtol=2e-4, atol=2e-5 * np.abs(expected).max())


def residual():
    x = Input((8, 8, 4))
    y = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU()(y)
    y = layers.Conv2D(4, 3, padding="same")(y)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU()(y + x)
    shared = layers.Conv2D(4, 1)
    return Model(x, [layers.BatchNormalization()(shared(y)), shared(x)])


def test_functional_models_keep_what_something_else_uses(rng):
    model = trained(residual(), (8, 8, 4), rng)
    fused = fuse(model)
    kinds = [type(layer).__name__ for layer in fused.layers]
    assert kinds.count("BatchNormalization") == 1 and kinds.count("ReLU") == 1 and kinds.count("Conv2D") == 3
    x = rng.standard_normal((2, 8, 8, 4)).astype(np.float32)
    for got, expected in zip(fused.predict(x, verbose=0), model.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_models_inside_are_fused_and_the_model_itself_is_left_alone(rng):
    inner = Sequential([layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Activation("relu")])
    model = trained(Sequential([inner, layers.Flatten(), layers.Dense(2)]), (6, 6, 2), rng)
    before, x = model.get_weights(), rng.standard_normal((2, 6, 6, 2)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    fused = fuse(model)
    assert len(fused.layers[0].layers) == 1
    np.testing.assert_allclose(fused.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "parts",
    [
        [layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization()],  # not linear between
        [layers.Conv2D(3, 3), layers.BatchNormalization(axis=1)],
        [layers.BatchNormalization(), layers.Conv2D(3, 3)],
        [layers.Conv2D(3, 3, activity_regularizer="l2"), layers.BatchNormalization()],
    ],
)
def test_what_cannot_be_folded_stays(rng, parts):
    model = trained(Sequential(parts), (5, 5, 2), rng)
    fused = fuse(model)
    assert [type(layer) for layer in fused.layers] == [type(layer) for layer in parts]
    x = rng.standard_normal((2, 5, 5, 2)).astype(np.float32)
    np.testing.assert_array_equal(fused(x), model(x))


def test_refusals():
    with pytest.raises(ValueError, match=r"\[fuse\] expected a built Sequential or functional model"):
        fuse(Sequential([layers.Conv2D(3, 3)]))
    with pytest.raises(ValueError, match=r"\[fuse\] expected a built Sequential or functional model"):
        fuse(fastnn.layers.Dense(3))
