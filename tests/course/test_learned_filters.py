"""What a course says a convolution layer is: weights that are learned, maps with a bias each, numbers laid out flat."""

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, layers, vision
from fastnn.optimizers import SGD

FILTERS = {"vertical": vision.edge_filter(), "sobel": vision.edge_filter("sobel"), "blur": np.full((3, 3), 1 / 9)}


@pytest.mark.parametrize("kind", FILTERS)
def test_a_filter_is_found_again_from_images_and_its_responses(rng, kind):
    """w1 to w9 are learned: nothing but images and what the filter answers is given, and all nine come out."""
    x = rng.standard_normal((16, 12, 12, 1)).astype(np.float32)
    known = layers.Conv2D(1, 3, use_bias=False)
    known.build(x.shape)
    known.set_weights([vision.as_kernel(FILTERS[kind])])
    fastnn.random.set_random_seed(1)
    learner = fastnn.Sequential([layers.Input((12, 12, 1)), layers.Conv2D(1, 3)])
    learner.compile(SGD(0.3), "mse")
    learner.fit(x, known(x), batch_size=16, epochs=60, verbose=0)
    kernel, bias = learner.get_weights()
    np.testing.assert_allclose(kernel[:, :, 0, 0], FILTERS[kind], atol=1e-4)
    np.testing.assert_allclose(bias, 0, atol=1e-4)


def test_each_filter_makes_a_map_with_its_own_bias(rng):
    """6 x 6 x 3 with two filters of 3 x 3 x 3: maps of 4 x 4, the last axis. The notes add b1 to both."""
    layer = layers.Conv2D(2, 3, activation="relu")
    layer.build((None, 6, 6, 3))
    w, b = rng.standard_normal((3, 3, 3, 2)).astype(np.float32), np.array([0.5, -1.5], np.float32)
    layer.set_weights([w, b])
    x = rng.standard_normal((1, 6, 6, 3)).astype(np.float32)
    maps = layer(x)
    assert maps.shape == (1, 4, 4, 2)
    for i, j, k in np.ndindex(4, 4, 2):
        z = np.sum(x[0, i : i + 3, j : j + 3] * w[..., k]) + b[k]
        np.testing.assert_allclose(maps[0, i, j, k], max(0.0, z), rtol=1e-5, atol=1e-5)


def test_flat_is_row_by_row_pixel_by_pixel_and_channel_by_channel():
    """(n, h, w, c) becomes (n, h w c), and the gradient goes back to where each number came from, unchanged."""
    x = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    layer = layers.Flatten()
    assert layer.compute_output_shape((None, 3, 4, 5)) == (None, 60)
    flat = layer(x)
    assert flat.shape == (2, 60)
    for n, h, w, c in np.ndindex(x.shape):
        assert flat[n, (h * 4 + w) * 5 + c] == x[n, h, w, c]
    with GradientTape() as tape:
        watched = tape.watch(x)
        y = layer(watched)
    np.testing.assert_array_equal(tape.gradient(y, watched, output_gradients=flat), x)


def test_the_summary_shows_what_sharing_saves():
    """36 pixels to 16 numbers: 576 weights or 9. A 16 x 16 letter, 100 units and 26 classes: 28,326."""
    image = layers.Input((6, 6, 1))
    dense = fastnn.Sequential([image, layers.Flatten(), layers.Dense(16, use_bias=False)])
    shared = fastnn.Sequential([image, layers.Conv2D(1, 3, use_bias=False)])
    letters = fastnn.Sequential([layers.Input((256,)), layers.Dense(100), layers.Dense(26)])
    for model, total in ((dense, "576"), (shared, "9"), (letters, "28,326")):
        lines = []
        model.summary(print_fn=lines.append)
        assert f"Total params: {total} " in "\n".join(lines)


def test_without_padding_a_map_is_smaller_by_one_less_than_the_window():
    """Without padding n - f + 1 places are left."""
    x = np.zeros((1, 6, 6, 1), np.float32)
    for f in range(1, 7):
        assert layers.Conv2D(1, f)(x).shape == (1, 6 - f + 1, 6 - f + 1, 1) and vision.output_size(6, f) == 6 - f + 1
    with pytest.raises(ValueError, match=r"expected an input that holds the kernel, which covers 7, .* length 6"):
        layers.Conv2D(1, 7)(x)
