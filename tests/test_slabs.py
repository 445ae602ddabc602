"""Predictions for large batches of images, some samples at a time."""

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, layers, ops
from fastnn.models.slabs import SMALL, Slabs

BATCH = 50


def image():
    return Input((32, 32, 8))


def block(x, **options):
    """64 KiB go in and out of its first layer."""
    x = layers.Conv2D(8, 3, padding="same")(x)
    return layers.ReLU()(layers.BatchNormalization()(x, **options))


@pytest.fixture
def x(rng):
    return rng.standard_normal((BATCH, 32, 32, 8), np.float32)


def functional(outputs_of):
    x = image()
    return Model(x, outputs_of(x))


def test_a_slab_fits_the_second_level_and_outweighs_weights():
    chain = [image(), layers.Conv2D(8, 3, padding="same"), layers.ReLU(), layers.GlobalAveragePooling2D()]
    slabs = Slabs(Sequential(chain))
    assert SMALL == 64 * 65536
    assert [slabs.samples(batch) for batch in (0, 1, 63, 64, 1000)] == [0, 1, 63, 32, 32]
    heavy = Slabs(Sequential([image(), layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(64)]))  # 1.8 MB of weights
    assert heavy.samples(64) == 64 and heavy.samples(1000) == 64


def test_predictions_are_those_of_the_slabs(x):
    for model in (
        functional(lambda x: layers.GlobalAveragePooling2D()(layers.Add()([x, block(x)]))),
        Sequential([image(), layers.ZeroPadding2D(), layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(3)]),
    ):
        size = Slabs(model).samples(64)
        big = np.concatenate([x, x[:14]])
        parts = np.concatenate([model(big[i : i + size]) for i in range(0, 64, size)])
        assert 1 < size < 64
        for _ in range(3):  # in Python, while it is recorded, from the recording
            np.testing.assert_array_equal(model.predict_on_batch(big), parts)
        np.testing.assert_allclose(model.predict(big, batch_size=64, verbose=0), model(big), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("outputs_of", [
    lambda x: layers.GlobalAveragePooling2D()(block(x, training=True)),
    lambda x: layers.GlobalAveragePooling2D()(block(x) - ops.mean(x, axis=0, keepdims=True)),
    lambda x: [layers.GlobalAveragePooling2D()(block(x)), layers.Flatten()(x)],
    lambda x: [layers.GlobalAveragePooling2D()(block(x))],
    lambda x: layers.Flatten()(x),
    lambda x: layers.Concatenate(axis=0)([block(x), block(x)]),
])  # fmt: skip
def test_samples_that_may_depend_on_each_other_stay_together(outputs_of):
    assert Slabs(functional(outputs_of)).samples(1000) == 1000


def test_statistics_of_a_whole_batch_are_predicted_from_it(x):
    model = functional(lambda x: layers.GlobalAveragePooling2D()(block(x) - ops.mean(x, axis=0, keepdims=True)))
    big = np.concatenate([x, x[:14] + 1])
    np.testing.assert_array_equal(model.predict_on_batch(big), model(big))
