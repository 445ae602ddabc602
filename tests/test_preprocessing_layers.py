"""Layers that change with what passes through them: SpectralNormalization, and Normalization, which is adapted."""

import numpy as np
import pytest

import fastnn
from fastnn import layers
from fastnn.layers import Dense, Normalization, SpectralNormalization


def largest_singular_value(kernel):
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def test_the_largest_singular_value_comes_to_1(rng):
    layer, x = SpectralNormalization(Dense(4)), rng.standard_normal((3, 6)).astype("float32")
    before = layer(x)
    kernel = layer.layer.kernel.numpy().copy()
    np.testing.assert_array_equal(layer(x), before)
    for _ in range(100):
        layer(x, training=True)
    np.testing.assert_allclose(layer.layer.kernel, kernel / largest_singular_value(kernel), rtol=1e-4, atol=1e-5)
    assert [v.name for v in layer.weights] == ["kernel", "vector_u", "bias"]
    assert [v.name for v in layer.trainable_weights] == ["kernel", "bias"]


def test_more_iterations_are_one_call(rng):
    x = rng.standard_normal((3, 6)).astype("float32")
    layer = SpectralNormalization(Dense(4), power_iterations=60)
    layer(x, training=True)
    np.testing.assert_allclose(largest_singular_value(layer.layer.kernel.numpy()), 1, rtol=1e-4)


def test_a_kernel_of_zeros_stays(rng):
    layer = SpectralNormalization(Dense(4, kernel_initializer="zeros"))
    layer.build((None, 6))
    u = layer.vector_u.numpy().copy()
    layer(np.ones((3, 6), "float32"), training=True)
    assert not layer.layer.kernel.numpy().any()
    np.testing.assert_array_equal(layer.vector_u, u)


def test_spectral_normalization_is_recorded_and_saved(rng, tmp_path):
    x, y = rng.standard_normal((24, 6)).astype("float32"), rng.integers(0, 3, 24)
    models = []
    for eager in (False, True):
        fastnn.utils.set_random_seed(1)
        model = fastnn.Sequential([layers.Input((6,)), SpectralNormalization(Dense(8, "relu")), Dense(3)])
        loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, run_eagerly=eager)
        for _ in range(5):
            model.train_on_batch(x, y)
        models.append(model)
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    models[0].save(tmp_path / "model.safetensors")
    loaded = fastnn.models.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_on_batch(x), models[0].predict_on_batch(x))


def test_spectral_normalization_refuses():
    with pytest.raises(ValueError, match=r"\[SpectralNormalization\] expected power_iterations > 0, got 0"):
        SpectralNormalization(Dense(2), 0)
    with pytest.raises(ValueError, match=r"\[own\] expected a layer with a kernel or embeddings, got ReLU"):
        SpectralNormalization(layers.ReLU(), name="own").build((None, 3))


# ---- Normalization -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "away"), [(-1, (0, 1)), (1, (0, 2)), ((1, 2), (0,)), (None, (0, 1, 2))])
def test_features_are_normalised_to_what_was_seen(rng, axis, away):
    x = (5 + 3 * rng.standard_normal((50, 4, 3))).astype("float32")
    layer = Normalization(axis=axis)
    layer.adapt(x)
    y = layer(x)
    np.testing.assert_allclose(y.mean(away), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(away), 1, rtol=1e-5)
    back = Normalization(axis=axis, invert=True)
    back.adapt(x)
    np.testing.assert_allclose(back(y), x, rtol=1e-5, atol=1e-5)


def test_the_training_set_alone_is_standardised(rng):
    """The notes subtract the mean of the training data, m = sum(x) / n, from all data."""
    train, test = rng.standard_normal((40, 3)), rng.standard_normal((10, 3)) + 1
    layer = Normalization(dtype="float64")
    layer.adapt(train)
    np.testing.assert_allclose(layer(train).mean(0), 0, atol=1e-14)
    np.testing.assert_allclose(layer(test), (test - train.mean(0)) / train.std(0), rtol=1e-12)


def test_batches_give_what_all_of_them_do(rng):
    x = (1e3 + rng.standard_normal((50, 3))).astype("float32")
    whole, parts, pairs = Normalization(), Normalization(), Normalization()
    whole.adapt(x)
    parts.adapt([x[:7], x[7:7], x[7:40], x[40:]])
    pairs.adapt((x[i : i + 10], None) for i in range(0, 50, 10))
    for other in (parts, pairs):
        for a, b in zip(other.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_given_mean_and_variance():
    layer = Normalization(mean=[1.0, 2.0], variance=4.0 * np.ones(2))
    np.testing.assert_allclose(layer(np.array([[1, 2], [3, 0]])), [[0, 0], [1, -1]])
    assert Normalization.from_config(layer.get_config()).get_config() == layer.get_config()
    np.testing.assert_allclose(Normalization(axis=None, mean=3, variance=0)(np.array([[3.0, 3.0]], "float32")), 0)


def test_normalization_is_recorded_and_saved(rng, tmp_path):
    x = rng.standard_normal((20, 3)).astype("float32")
    layer = Normalization()
    layer.adapt(x)
    model = fastnn.Sequential([layers.Input((3,)), layer, Normalization(mean=0.5, variance=2.0), Dense(2)])
    expected = model(x)
    for _ in range(3):
        np.testing.assert_array_equal(model.predict_on_batch(x), expected)
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(fastnn.models.load_model(tmp_path / "model.safetensors")(x), expected)


def test_normalization_refuses():
    with pytest.raises(ValueError, match=r"\[Normalization\] expected both mean and variance or neither"):
        Normalization(mean=1.0)
    with pytest.raises(ValueError, match=r"expected mean and variance of one shape with at most 1 axes, got \(2, 2\)"):
        Normalization(mean=np.ones((2, 2)), variance=np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"\[own\] expected known lengths along axes \(1,\), got input \(None, None\)"):
        Normalization(1, name="own").build((None, None))
    with pytest.raises(ValueError, match=r"\[own\] expected data for adapt\(\), got none"):
        Normalization(name="own").adapt([])
    with pytest.raises(TypeError, match=r"\[Normalization\] expected an array or batches, got int"):
        Normalization().adapt(3)


def test_mean_and_variance_can_be_looked_at(rng):
    x = rng.standard_normal((6, 4, 3)).astype("float32")
    layer = Normalization(axis=(1, 2))
    with pytest.raises(AttributeError, match=r"expected a built layer, got one without mean; call adapt\(\) first"):
        _ = layer.mean
    layer.adapt(x)
    assert layer.mean.shape == layer.variance.shape == (1, 4, 3)
    np.testing.assert_allclose(layer.mean[0], x.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.variance[0], x.var(0), rtol=1e-5)
    given = Normalization(axis=1, mean=[1, 2, 3, 4], variance=2.0 * np.ones(4))
    given.build((None, 4, 3))
    np.testing.assert_array_equal(given.mean, [[[1], [2], [3], [4]]])
    np.testing.assert_array_equal(given.variance, np.full((1, 4, 1), 2))


def test_adapt_takes_a_dataset_of_batches(rng):
    x = rng.standard_normal((8, 3)).astype("float32")

    class Halves(fastnn.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return x[4 * index : 4 * index + 4], np.zeros(4)

    layer = Normalization()
    layer.adapt(Halves())
    np.testing.assert_allclose(layer.mean[0], x.mean(0), rtol=1e-5, atol=1e-6)
