"""Convolution as a course shows it: its worked examples, and where its notes slip."""

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, Sequential, Variable, layers, ops

VERTICAL = np.array([[1, 0, -1]] * 3)
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
CROSS = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
DIGITS = np.array(
    [
        [3, 0, 1, 2, 7, 4],
        [1, 5, 8, 9, 3, 1],
        [2, 7, 2, 5, 1, 3],
        [0, 1, 3, 1, 7, 8],
        [4, 2, 1, 6, 2, 8],
        [2, 4, 5, 2, 3, 9],
    ]
)
FIVE = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])


def convolved(image, kernel, **settings):
    x, w = np.asarray(image, float)[None, :, :, None], np.asarray(kernel, float)[:, :, None, None]
    return ops.conv2d(x, w, **settings)[0, :, :, 0]


# ---- one filter -----------------------------------------------------------------------------------------------------


def test_six_by_six_with_a_vertical_edge_filter():
    """Pointwise products under the filter, which is not flipped: a cross-correlation."""
    expected = [[-5, -4, 0, 8], [-10, -2, 2, 3], [0, -2, -4, -7], [-3, -2, -3, -16]]
    np.testing.assert_array_equal(convolved(DIGITS, VERTICAL), expected)
    np.testing.assert_array_equal(convolved(DIGITS, VERTICAL[::-1, ::-1]), -np.array(expected))


def test_stride_three():
    np.testing.assert_array_equal(convolved(DIGITS, VERTICAL, strides=3), [[-5, 8], [-3, -16]])


def test_five_by_five_with_a_cross():
    np.testing.assert_array_equal(convolved(FIVE, CROSS), [[4, 3, 4], [2, 4, 3], [2, 3, 4]])


def test_padding_keeps_the_size():
    """The notes copy the middle from another image: two of their cells are wrong (row 3 column 3, row 4 column 2)."""
    image = FIVE.copy()
    image[3] = [0, 1, 1, 1, 0]
    expected = [[2, 2, 3, 1, 1], [1, 4, 3, 4, 1], [2, 2, 5, 3, 3], [1, 3, 3, 4, 1], [1, 2, 3, 1, 1]]
    np.testing.assert_array_equal(convolved(image, CROSS, padding=1), expected)
    np.testing.assert_array_equal(convolved(image, CROSS, padding="same"), expected)


def test_edges():
    edge = np.repeat([[10, 10, 10, 0, 0, 0]], 6, axis=0)
    np.testing.assert_array_equal(convolved(edge, VERTICAL), [[0, 30, 30, 0]] * 4)
    np.testing.assert_array_equal(convolved(edge.T, VERTICAL.T), np.transpose([[0, 30, 30, 0]] * 4))
    np.testing.assert_array_equal(convolved(edge, VERTICAL.T), np.zeros((4, 4)))


def test_sobel():
    """The notes print the kernel's last row as 2 0 -1, which would make 0 -4 -4 1 of it."""
    edge = np.repeat([[0, 0, 0, 1, 1, 1]], 6, axis=0)
    response = convolved(edge, SOBEL)
    np.testing.assert_array_equal(response, [[0, -4, -4, 0]] * 4)
    printed = SOBEL.copy()
    printed[2, 0] = 2
    np.testing.assert_array_equal(convolved(edge, printed), [[0, -4, -4, 1]] * 4)
    scaled = (response - response.min()) / (response.max() - response.min()) * 255
    np.testing.assert_array_equal(scaled, [[255, 0, 0, 255]] * 4)


@pytest.mark.parametrize(
    ("size", "kernel", "padding", "stride", "out"),
    [(6, 3, 0, 1, 4), (6, 3, 1, 1, 6), (6, 3, 0, 3, 2), (5, 3, 1, 1, 5), (4, 2, 0, 2, 2), (227, 11, 0, 4, 55)],
)
def test_the_size_of_the_output(size, kernel, padding, stride, out):
    y = convolved(np.zeros((size, size)), np.zeros((kernel, kernel)), padding=padding, strides=stride)
    assert y.shape == (out, out) == ((size + 2 * padding - kernel) // stride + 1,) * 2


# ---- volumes --------------------------------------------------------------------------------------------------------


def test_two_filters_over_three_channels():
    layer = layers.Conv2D(2, 3, activation="relu")
    layer.build((None, 6, 6, 3))
    assert layer.compute_output_shape((None, 6, 6, 3)) == (None, 4, 4, 2)
    assert layer.count_params() == 2 * (3 * 3 * 3 + 1) == 56


def test_a_volume_is_summed_over_its_channels(rng):
    x, w = rng.standard_normal((6, 6, 3)), rng.standard_normal((3, 3, 3))
    apart = sum(convolved(x[..., c], w[..., c]) for c in range(3))
    np.testing.assert_allclose(ops.conv2d(x[None], w[..., None])[0, ..., 0], apart, rtol=1e-12, atol=1e-12)


def test_one_by_one_weighs_channels(rng):
    x, w = rng.standard_normal((1, 6, 6, 32)), rng.standard_normal((1, 1, 32, 5))
    np.testing.assert_allclose(ops.conv2d(x, w), x @ w[0, 0], rtol=1e-12, atol=1e-12)


def test_convolution_is_a_product_with_the_matrix_of_windows(rng):
    x, w = rng.standard_normal((7, 8, 2)), rng.standard_normal((3, 2, 2, 4))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    expected = windows.reshape(5 * 7, -1) @ w.reshape(-1, 4)
    np.testing.assert_allclose(ops.conv2d(x[None], w)[0], expected.reshape(5, 7, 4), rtol=1e-12, atol=1e-12)


def test_weights_are_shared():
    """16 outputs of 36 pixels: 576 weights if every output has its own, 9 for a filter."""
    dense, filters = layers.Dense(16, use_bias=False), layers.Conv2D(1, 3, use_bias=False)
    dense.build((None, 36))
    filters.build((None, 6, 6, 1))
    assert (dense.count_params(), filters.count_params()) == (576, 9)


def test_an_output_sees_its_receptive_field_and_nothing_else(rng):
    """Two layers of 3 x 3: 5 x 5 pixels. The gradient is zero elsewhere."""
    model = Sequential([layers.Conv2D(4, 3), layers.Conv2D(1, 3)])
    x = rng.standard_normal((1, 9, 9, 1)).astype(np.float32)
    with GradientTape() as tape:
        watched = tape.watch(x)
        y = model(watched)[0, 2, 3, 0]
    (dx,) = tape.gradient(y, [watched])
    rows, cols = np.nonzero(dx[0, :, :, 0])
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (2, 6, 3, 7)


def test_a_dense_layer_is_a_convolution_of_the_whole_image(rng):
    """One pass over a larger image is the network at every place."""
    w, b = rng.standard_normal((5 * 5 * 3, 4)), rng.standard_normal(4)
    x = rng.standard_normal((1, 9, 8, 3))
    kernel = w.reshape(5, 5, 3, 4)
    everywhere = ops.conv2d(x, kernel, b)
    assert everywhere.shape == (1, 5, 4, 4)
    for i, j in np.ndindex(5, 4):
        window = x[:, i : i + 5, j : j + 5].reshape(1, -1)
        np.testing.assert_allclose(everywhere[0, i, j], ops.dense(window, w, b)[0], rtol=1e-10, atol=1e-10)


# ---- a whole network by hand ----------------------------------------------------------------------------------------


def by_hand(x, w, target):
    """4 x 4 -> 3 x 3 (w1 to w4) -> 2 x 2 (w5 to w8) -> 2 sigmoids (w9 to w16): sum of cross-entropies, its gradient.

    f1 to f9 are the first map, f10 to f13 the second. The notes' lists for w3 and w4 are copies of that for w2, and
    their factor for w7 in f12 is f6 where it is f7.
    """

    def windows(image):
        return np.lib.stride_tricks.sliding_window_view(image, (2, 2)).reshape(-1, 4)

    first = (windows(x) @ w[:4]).reshape(3, 3)
    second = windows(first) @ w[4:8]
    p = 1 / (1 + np.exp(-(second @ w[8:].reshape(4, 2))))
    loss = -np.sum(target * np.log(p) + (1 - target) * np.log(1 - p))
    dz = p - target
    d_second = w[8:].reshape(4, 2) @ dz
    d_first = np.zeros((3, 3))
    for (i, j), d in zip(np.ndindex(2, 2), d_second, strict=True):
        d_first[i : i + 2, j : j + 2] += d * w[4:8].reshape(2, 2)
    return loss, np.concatenate(
        [windows(x).T @ d_first.ravel(), windows(first).T @ d_second, np.outer(second, dz).ravel()]
    )


def test_the_whole_backward_pass_of_a_small_cnn(rng):
    x, weights, target = rng.standard_normal((4, 4)), rng.standard_normal(16), np.array([1.0, 0.0])
    first, second = (Variable(weights[i : i + 4].reshape(2, 2, 1, 1)) for i in (0, 4))
    last = Variable(weights[8:].reshape(4, 2))
    with GradientTape() as tape:
        maps = ops.conv2d(ops.conv2d(x[None, :, :, None], first), second)
        logits = ops.reshape(maps, (1, 4)) @ last
        loss = ops.sum(ops.sigmoid_cross_entropy(logits, target[None], reduction="none"))
    grads = np.concatenate([g.ravel() for g in tape.gradient(loss, [first, second, last])])
    expected_loss, expected = by_hand(x, weights, target)
    np.testing.assert_allclose(float(loss), expected_loss, rtol=1e-12)
    np.testing.assert_allclose(grads, expected, rtol=1e-10)
    for i in range(16):
        step = np.eye(16)[i] * 1e-6
        slope = (by_hand(x, weights + step, target)[0] - by_hand(x, weights - step, target)[0]) / 2e-6
        np.testing.assert_allclose(grads[i], slope, rtol=1e-6, atol=1e-8)


def test_a_curve_detector():
    """Seven by seven with six 30s on a curve: 5400 where the image is the curve itself, 0 where there is nothing."""
    curve = np.zeros((7, 7))
    for row, col in ((1, 5), (2, 4), (3, 3), (4, 3), (5, 3), (6, 3)):
        curve[row, col] = 30
    image = np.zeros((20, 20))
    image[3:10, 8:15] = curve
    response = convolved(image, curve)
    assert response[3, 8] == response.max() == 5400 and response[13, 0] == 0
    assert fastnn.ops.argmax(response.ravel()) == 3 * 14 + 8
