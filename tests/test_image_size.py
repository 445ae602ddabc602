"""Layers that bring images to one size, and numbers into one range."""

import json

import numpy as np
import pytest

import fastnn
from fastnn import layers, ops
from fastnn.models import load_model

MADE = [
    layers.Resizing(3, 5),
    layers.Resizing(9, 4, "lanczos3", crop_to_aspect_ratio=True, antialias=True),
    layers.Resizing(4, 4, "Bicubic", pad_to_aspect_ratio=True, fill_value=0.5),
    layers.CenterCrop(4, 3),
    layers.CenterCrop(9, 3),
    layers.Rescaling(1 / 255, offset=-0.5),
    layers.Rescaling([1, 2, 3], np.array([0.5, 1, 2])),
    *(layers.UpSampling2D((2, 3), interpolation=name) for name in ("bicubic", "lanczos3", "lanczos5")),
]


@pytest.mark.parametrize("layer", MADE, ids=lambda layer: layer.name)
def test_configurations_and_symbolic_calls(rng, layer):
    x = rng.standard_normal((2, 7, 6, 3)).astype("float32")
    y = layer(x)
    assert layer(layers.Input((7, 6, 3))).shape == (None, *y.shape[1:]) == layer.compute_output_shape((None, 7, 6, 3))
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    np.testing.assert_array_equal(again(x), y)
    assert layer.compute_dtype == y.dtype.name == "float32"


def test_the_middle_is_cut_out_and_smaller_images_are_enlarged(rng):
    x = rng.standard_normal((2, 7, 6, 3)).astype("float32")
    np.testing.assert_array_equal(layers.CenterCrop(4, 3)(x), x[:, 1:5, 1:4])
    np.testing.assert_array_equal(layers.CenterCrop(4, 3)(x[0]), x[0, 1:5, 1:4])
    enlarged = ops.image.resize(np.ascontiguousarray(x[:, :, 2:4]), (9, 3))  # 7 rows, int(7 * 3 / 9) columns
    np.testing.assert_array_equal(layers.CenterCrop(9, 3)(x), enlarged)


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_integers_stay_integers_inside_their_range(dtype):
    x = np.zeros((1, 4, 4, 1), dtype)
    x[:, :2] = np.iinfo(dtype).max
    layer = layers.Resizing(9, 9, "lanczos3")  # goes beyond both sides of the edge
    y, exact = layer(x), ops.image.resize(x.astype("float32"), (9, 9), "lanczos3")
    assert y.dtype == dtype and exact.max() > x.max() and exact.min() < 0
    np.testing.assert_array_equal(y, np.clip(np.round(exact), np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype))
    assert layer(layers.Input((4, 4, 1), dtype=dtype)).dtype == dtype


def test_numbers_are_scaled_and_shifted():
    pixels = np.array([[0, 51, 255]], np.uint8)
    y = layers.Rescaling(1 / 127.5, -1)(pixels)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [[-1, -0.6, 1]], rtol=1e-6)
    np.testing.assert_allclose(layers.Rescaling([1, 2, 3], dtype="float64")(pixels), [[0, 102, 765]])


def test_models_begin_with_them_and_are_recorded_and_saved(rng, tmp_path):
    x, y = rng.integers(0, 256, (24, 6, 5, 3)).astype("uint8"), rng.integers(0, 2, 24)
    trained = []
    for eager in (True, False):
        fastnn.utils.set_random_seed(1)
        model = fastnn.Sequential(
            [
                layers.Rescaling(1 / 255, input_shape=(6, 5, 3)),
                layers.Resizing(4, 4, "bicubic"),
                layers.CenterCrop(3, 4),
                layers.Conv2D(4, 3, padding="same"),
                layers.UpSampling2D(2, interpolation="lanczos3"),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
        loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, run_eagerly=eager)
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        assert eager or model._steps_now()._training._steps
        trained.append(model)
    for a, b in zip(*(model.get_weights() for model in trained), strict=True):
        np.testing.assert_array_equal(a, b)
    trained[0].save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), trained[0].predict(x, verbose=0))


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"\[Resizing\] expected interpolation nearest, .*, got 'area'"):
        layers.Resizing(2, 2, "area")
    with pytest.raises(ValueError, match=r"\[Resizing\] expected crop_to_aspect_ratio or pad_to_.*, got both"):
        layers.Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)
    with pytest.raises(ValueError, match="expected height and width of 2 integers >= 1"):
        layers.CenterCrop(0, 2)
    with pytest.raises(ValueError, match=r"expected images of shape \(n, h, w, c\) or \(h, w, c\), got \(None, 4\)"):
        layers.Resizing(2, 2).compute_output_shape((None, 4))
    with pytest.raises(ValueError, match=r"expected interpolation 'nearest', 'bilinear', .*, got 'area'"):
        layers.UpSampling2D(interpolation="area")
