"""Worked examples of a deep-learning course: pooling, filters, sizes, costs, and what holds where its notes slip."""

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, layers, ops, vision

IMAGE = np.array([[1, 4, 6, 3], [1, 8, 9, 7], [2, 9, 1, 2], [3, 4, 4, 3]], np.float32)

#: Ones left, zeros right, and tens likewise.
HALVES = np.repeat([[1, 1, 1, 0, 0, 0]], 6, axis=0).astype(np.float32)


def filtered(image, kernel, **options):
    y = ops.conv2d(np.asarray(image, np.float32)[None, ..., None], vision.as_kernel(kernel), **options)
    return y[0, ..., 0]


# ---- pooling -------------------------------------------------------------------------------------------------------


def test_max_and_average_pooling():
    x = IMAGE[None, ..., None]
    np.testing.assert_array_equal(layers.MaxPooling2D(2, 2)(x)[0, ..., 0], [[8, 9], [9, 4]])
    np.testing.assert_array_equal(layers.AveragePooling2D(2, 2)(x)[0, ..., 0], [[3.5, 6.25], [4.5, 2.5]])


def test_the_gradient_of_a_maximum_goes_to_the_first_of_equal_ones():
    with GradientTape() as tape:
        x = tape.watch(IMAGE[None, ..., None])
        loss = ops.sum(ops.max_pool2d(x, 2))
    expected = np.zeros((4, 4))
    for place in ((1, 1), (1, 2), (2, 1), (3, 2)):  # 8, 9, 9, 4
        expected[place] = 1
    np.testing.assert_array_equal(tape.gradient(loss, x)[0, ..., 0], expected)


# ---- filters -------------------------------------------------------------------------------------------------------


def test_a_vertical_edge_and_a_horizontal_one():
    expected = np.repeat([[0, 30, 30, 0]], 4, axis=0)
    np.testing.assert_array_equal(filtered(10 * HALVES, vision.edge_filter()), expected)
    np.testing.assert_array_equal(filtered(10 * HALVES.T, vision.edge_filter(direction="horizontal")), expected.T)
    np.testing.assert_array_equal(vision.edge_filter(direction="horizontal"), [[1, 1, 1], [0, 0, 0], [-1, -1, -1]])


def test_the_sobel_filter_on_an_edge_from_dark_to_bright():
    """The notes' third row reads +2 0 -1, which would give 0 -4 -4 1."""
    dark_to_bright = 1 - HALVES
    expected = np.repeat([[0, -4, -4, 0]], 4, axis=0)
    np.testing.assert_array_equal(filtered(dark_to_bright, vision.edge_filter("sobel")), expected)
    np.testing.assert_array_equal(
        filtered(dark_to_bright, np.array([[1, 0, -1], [2, 0, -2], [2, 0, -1]])), np.repeat([[0, -4, -4, 1]], 4, axis=0)
    )
    np.testing.assert_array_equal(vision.rescaled(expected), np.repeat([[255, 0, 0, 255]], 4, axis=0))


def test_the_scharr_filter():
    np.testing.assert_array_equal(vision.edge_filter("scharr"), [[3, 0, -3], [10, 0, -10], [3, 0, -3]])
    found = filtered(HALVES, vision.edge_filter("scharr"))
    np.testing.assert_array_equal(found, np.repeat([[0, 16, 16, 0]], 4, axis=0))


def test_a_curve_detector_answers_to_its_curve():
    kernel = vision.curve_detector()
    assert (kernel == 30).sum() == 6 and kernel.sum() == 180
    assert filtered(kernel, kernel).item() == 5400
    assert filtered(np.zeros((7, 7)), kernel).item() == 0


def test_an_image_of_one_value_has_no_span():
    np.testing.assert_array_equal(vision.rescaled(np.full((2, 2), 3.0), 1, 9), np.ones((2, 2)))


# ---- sizes and costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "f", "padding", "stride", "expected"),
    [(6, 3, 0, 1, 4), (6, 3, 1, 1, 6), (6, 3, 0, 3, 2), (5, 3, 1, 1, 5), (4, 2, 0, 2, 2), (6, 1, 0, 1, 6)],
)
def test_output_sizes(n, f, padding, stride, expected):
    assert vision.output_size(n, f, padding, stride) == expected
    x, w = np.zeros((1, n, n, 1), np.float32), np.zeros((f, f, 1, 1), np.float32)
    assert ops.conv2d(x, w, strides=stride, padding=padding).shape == (1, expected, expected, 1)


def test_padding_that_keeps_the_size():
    """n - f + 1 = 6 needs n = 8 with f = 3, where the notes have 6 + 3 + 1."""
    assert vision.same_padding(3) == 1 and vision.output_size(8, 3) == 6 == vision.output_size(6, 3, 1)


def test_sizes_in_alexnet():
    """227 / 11 / 4 gives 55; 224 - 11 is no multiple of 4. The notes' formula lacks the + 1."""
    sizes, n = [], 227
    for f, padding, stride in ((11, 0, 4), (3, 0, 2), (5, 2, 1), (3, 0, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 0, 2)):
        n = vision.output_size(n, f, padding, stride)
        sizes.append(n)
    assert sizes == [55, 27, 27, 13, 13, 13, 13, 6]
    assert (224 - 11) % 4 != 0 == (227 - 11) % 4


def test_multiplications_of_an_inception_with_and_without_bottleneck():
    assert vision.convolution_multiplications((28, 28, 32), (5, 5), 192) == 120_422_400
    assert vision.bottleneck_multiplications((28, 28, 32), (5, 5), 192, between=16) == 12_443_648


def test_multiplications_of_a_separable_convolution():
    full = vision.convolution_multiplications((14, 14, 512), (3, 3), 256)
    assert vision.separable_multiplications((14, 14, 512), (3, 3), 256) / full == pytest.approx(1 / 512 + 1 / 9)


def test_a_receptive_field_is_where_gradients_come_from(rng):
    """Nothing outside it changes the output; its corners do."""
    model = fastnn.Sequential(
        [layers.Input((16, 16, 1)), layers.Conv2D(2, 3, strides=2), layers.AveragePooling2D(2, 1), layers.Conv2D(1, 2)]
    )
    with GradientTape() as tape:
        x = tape.watch(rng.standard_normal((1, 16, 16, 1)).astype(np.float32))
        y = model(x)[0, 1, 2, 0]
    touched = np.argwhere(tape.gradient(y, x)[0, ..., 0])
    field = vision.receptive_field([(3, 2), (2, 1), (2, 1)])
    assert field == 7
    np.testing.assert_array_equal(touched.min(axis=0), [2, 4])
    np.testing.assert_array_equal(touched.max(axis=0), [2 + field - 1, 4 + field - 1])


def test_a_shifted_image_has_a_shifted_map(rng):
    x = np.zeros((1, 12, 12, 1), np.float32)
    x[0, 3:7, 3:7, 0] = rng.standard_normal((4, 4))
    kernel = rng.standard_normal((3, 3, 1, 2)).astype(np.float32)
    y, moved = (ops.conv2d(image, kernel) for image in (x, np.roll(x, (2, 3), (1, 2))))
    np.testing.assert_array_equal(moved, np.roll(y, (2, 3), (1, 2)))


def test_few_weights_where_they_are_shared():
    """36 inputs and 16 outputs: 576 weights in a dense layer, 9 in a filter."""
    dense, conv = layers.Dense(16, use_bias=False), layers.Conv2D(1, 3, use_bias=False)
    dense.build((None, 36))
    conv.build((None, 6, 6, 1))
    assert (dense.count_params(), conv.count_params()) == (576, 9)
    network = fastnn.Sequential([layers.Input((256,)), layers.Dense(100), layers.Dense(26)])
    assert network.count_params() == 28_326  # 25,600 + 100 + 2,600 + 26, where the notes print 28,236


# ---- convolution as a product --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("strides", "padding"), [(1, "valid"), (2, "same"), ((1, 3), ((1, 0), (2, 1)))])
def test_windows_as_rows_make_convolution_a_product(rng, strides, padding):
    x, w = rng.standard_normal((2, 7, 8, 3)), rng.standard_normal((3, 4, 3, 5))
    rows = vision.im2col(x, (3, 4), strides, padding)
    expected = ops.conv2d(x, w, strides=strides, padding=padding)
    assert rows.shape == (*expected.shape[:3], 3, 4, 3)
    np.testing.assert_allclose(rows.reshape(-1, 36) @ w.reshape(36, 5), expected.reshape(-1, 5), rtol=1e-10, atol=1e-10)


def test_windows_are_views():
    x = np.zeros((1, 5, 5, 2))
    assert np.shares_memory(vision.im2col(x, 3), x)


def test_a_dense_layer_as_a_convolution(rng):
    """The same output at the size it was made for, and a map over a larger image."""
    dense = layers.Dense(4)
    x = rng.standard_normal((2, 5, 6, 3)).astype(np.float32)
    expected = dense(layers.Flatten()(x))
    conv = layers.Conv2D(4, (5, 6))
    conv.build((None, None, None, 3))
    conv.set_weights([vision.dense_as_convolution(dense.kernel.numpy(), (5, 6, 3)), dense.bias.numpy()])
    np.testing.assert_allclose(conv(x)[:, 0, 0], expected, rtol=1e-5, atol=1e-5)
    larger = rng.standard_normal((1, 7, 9, 3)).astype(np.float32)
    y = conv(larger)
    assert y.shape == (1, 3, 4, 4)
    at = dense(layers.Flatten()(larger[:, 2:7, 1:7]))
    np.testing.assert_allclose(y[:, 2, 1], at, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vision.output_size(4, 5), r"\[output_size\] expected a window that fits, got 5 over 4"),
        (lambda: vision.same_padding(4), r"\[same_padding\] expected an odd window, got 4"),
        (lambda: vision.edge_filter("canny"), r"\[edge_filter\] expected kind prewitt, sobel, scharr, got 'canny'"),
        (lambda: vision.edge_filter("sobel", "up"), r"expected direction 'vertical' or 'horizontal', got 'up'"),
        (lambda: vision.as_kernel(np.zeros(3)), r"\[as_kernel\] expected filters of shape"),
        (lambda: vision.im2col(np.zeros((3, 3)), 2), r"\[im2col\] expected x of shape \(n, h, w, c\), got \(3, 3\)"),
        (lambda: vision.dense_as_convolution(np.zeros((5, 2)), (2, 2, 1)), r"expected a kernel of shape \(4, u\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
