"""Geometry that cannot be is refused by one sentence, [op or layer] expected ..., got ..., in ops and in layers."""

import numpy as np
import pytest

from fastnn import layers, ops

AXES = (1, 2, 3)
NO_LENGTHS = (0, -1, 1.5, "2", None)


def image(axes, c=6):
    return np.zeros((2, *(6,) * axes, c), np.float32)


def kernel(axes, size, *channels):
    return np.zeros((*(size,) * axes, *channels), np.float32)


def refused(call, *names):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert any(message.startswith(f"[{name}") for name in names), message
    assert "expected " in message and ", got " in message, message


def too_many(axes):
    return (1,) * (axes + 1)


@pytest.mark.parametrize("axes", AXES)
def test_convolutions(axes):
    name = f"conv{axes}d"
    conv, x, w = getattr(ops, name), image(axes), kernel(axes, 3, 6, 4)
    for bad in (*NO_LENGTHS, too_many(axes)):
        refused(lambda bad=bad: conv(x, w, strides=bad), name)
        refused(lambda bad=bad: conv(x, w, dilation_rate=bad), name)
    for bad in (-1, 1.5, "full", ((1, 1),) * (axes + 1), ((1, -1),) * axes, None):
        refused(lambda bad=bad: conv(x, w, padding=bad), name)
    for bad in (0, 4, -1, 2.0):
        refused(lambda bad=bad: conv(x, kernel(axes, 3, 3, 4), groups=bad), name)
    refused(lambda: conv(x, kernel(axes, 3, 2, 4), groups=3), name)  # 4 filters
    refused(lambda: conv(x, kernel(axes, 7, 6, 4)), name)
    refused(lambda: conv(x, kernel(axes, 9, 6, 4), padding=1), name)
    refused(lambda: conv(x, kernel(axes, 3, 5, 4)), name)
    refused(lambda: conv(x[0], w), name)
    refused(lambda: conv(x, w[0]), name)


@pytest.mark.parametrize("axes", AXES)
def test_transposed_convolutions(axes):
    name = f"conv_transpose{axes}d"
    conv, x, w = getattr(ops, name), image(axes), kernel(axes, 3, 4, 6)
    for bad in (*NO_LENGTHS, too_many(axes)):
        refused(lambda bad=bad: conv(x, w, strides=bad), name)
        refused(lambda bad=bad: conv(x, w, dilation_rate=bad), name)
    for bad in (-1, 1.5, "full", ((1, 1),) * (axes + 1)):
        refused(lambda bad=bad: conv(x, w, padding=bad), name)
    for bad in (-1, 1.5, "1"):
        refused(lambda bad=bad: conv(x, w, strides=2, output_padding=bad), name)
    refused(lambda: conv(x, kernel(axes, 3, 6, 4)), name)
    refused(lambda: conv(x[0], w), name)
    refused(lambda: conv(x, w[0]), name)


@pytest.mark.parametrize("axes", (1, 2))
def test_depthwise_and_separable_convolutions(axes):
    name = f"depthwise_conv{axes}d"
    conv, x, w = getattr(ops, name), image(axes), kernel(axes, 3, 6, 2)
    for bad in (*NO_LENGTHS, too_many(axes)):
        refused(lambda bad=bad: conv(x, w, strides=bad), name)
        refused(lambda bad=bad: conv(x, w, dilation_rate=bad), name)
    for bad in (-1, 1.5, "full", ((1, 1),) * (axes + 1)):
        refused(lambda bad=bad: conv(x, w, padding=bad), name)
    refused(lambda: conv(x, kernel(axes, 7, 6, 1)), name)
    refused(lambda: conv(x, kernel(axes, 3, 5, 1)), name)
    refused(lambda: conv(x[0], w), name)
    for points in (kernel(axes, 1, 6, 4), kernel(axes, 3, 12, 4)):  # 12 channels come, and of one pixel each
        refused(lambda points=points: ops.separable_conv(x, w, points), "separable_conv")


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pools(kind, axes):
    name = f"{kind}_pool{axes}d"
    pool, x = getattr(ops, name), image(axes)
    for bad in (*NO_LENGTHS, too_many(axes), 7):
        refused(lambda bad=bad: pool(x, bad), name)
    for bad in (0, -1, 1.5, "2", too_many(axes)):
        refused(lambda bad=bad: pool(x, 2, bad), name)
    for bad in (-1, 1.5, 2, "full", ((1, 1),) * (axes + 1), None):
        refused(lambda bad=bad: pool(x, 2, 2, bad), name)
    refused(lambda: pool(x[0], 2), name)


@pytest.mark.parametrize("name", ["adaptive_max_pool", "adaptive_average_pool"])
def test_adaptive_pools(name):
    pool = getattr(ops, name)
    for bad in (*NO_LENGTHS, (1, 1, 1), (2.5, 1)):
        refused(lambda bad=bad: pool(image(2), bad), name)
    refused(lambda: pool(np.zeros((2, 3), np.float32), 1), name)
    refused(lambda: pool(np.zeros((1, 0, 4, 3), np.float32), 1), name)


@pytest.mark.parametrize("name", ["upsample2d", "resize2d", "repeat_pixels"])
def test_sizes_of_images(name):
    for bad in (*NO_LENGTHS, (1, 1, 1)):
        refused(lambda bad=bad: getattr(ops, name)(image(2), bad), name)


def test_a_length_is_looked_at_though_an_equal_one_was_right():
    """2.0 == 2 is also one key of a dictionary: what was said about 2 must not be taken for it."""
    for call, name in (
        (lambda size: ops.max_pool2d(image(2), size), "max_pool2d"),
        (lambda size: ops.conv2d(image(2), kernel(2, 3, 6, 4), strides=size), "conv2d"),
        (lambda size: ops.conv_transpose2d(image(2), kernel(2, 3, 4, 6), strides=size), "conv_transpose2d"),
    ):
        call(2)
        refused(lambda call=call: call(2.0), name)


CONVOLUTIONS = [
    (f"{kind}{axes}D{of}", axes, filters)
    for kind, of, filters, ranks in (
        ("Conv", "", True, AXES),
        ("Conv", "Transpose", True, AXES),
        ("SeparableConv", "", True, (1, 2)),
        ("DepthwiseConv", "", False, (1, 2)),
    )
    for axes in ranks
]


@pytest.mark.parametrize(("kind", "axes", "filters"), CONVOLUTIONS)
def test_layers_that_convolve(kind, axes, filters):
    right = {"kernel_size": 3, **({"filters": 4} if filters else {})}

    def layer(**wrong):
        return getattr(layers, kind)(**right | wrong)

    for name in ("kernel_size", "strides", "dilation_rate", *(["filters"] if filters else [])):
        for bad in (*NO_LENGTHS, too_many(axes)):
            refused(lambda name=name, bad=bad: layer(**{name: bad}), kind)
    for bad in ("full", -1, 1.5, None):
        refused(lambda bad=bad: layer(padding=bad), kind)
    for shape in (image(axes)[0].shape, (*image(axes).shape, 1)):
        refused(lambda shape=shape: layer().compute_output_shape(shape), layer().name[:6])
        refused(lambda shape=shape: layer()(np.zeros(shape, np.float32)), layer().name[:6])
    if not kind.endswith("Transpose"):
        refused(lambda: layer(kernel_size=7)(image(axes)), layer().name[:6])
    other = layer()
    other(image(axes))
    refused(lambda: other(image(axes, 5)), other.name)


@pytest.mark.parametrize("axes", AXES)
def test_groups_of_layers(axes):
    kind = getattr(layers, f"Conv{axes}D")
    for bad in (0, -1, 3, 1.5):
        refused(lambda bad=bad: kind(4, 3, groups=bad), kind.__name__)
    refused(lambda: kind(4, 3, groups=4)(image(axes)), f"conv{axes}d")


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("axes", AXES)
def test_layers_move_by_steps_or_reach_out_but_not_both(kind, axes):
    """As Keras's; ops do both, and so do layers that are depthwise."""
    name = kind.replace("Conv", f"Conv{axes}D")
    refused(lambda: getattr(layers, name)(4, 3, strides=2, dilation_rate=2), name)
    assert ops.conv2d(image(2), kernel(2, 3, 6, 4), strides=2, dilation_rate=2).shape == (2, 1, 1, 4)


@pytest.mark.parametrize("axes", AXES)
def test_layers_that_pool(axes):
    for kind in (f"MaxPooling{axes}D", f"AveragePooling{axes}D"):
        for bad in (*NO_LENGTHS, too_many(axes)):
            refused(lambda kind=kind, bad=bad: getattr(layers, kind)(bad), kind)
        for options in ({"strides": 0}, {"strides": 1.5}, {"padding": "full"}, {"padding": 1}, {"padding": None}):
            refused(lambda kind=kind, options=options: getattr(layers, kind)(2, **options), kind)
        refused(lambda kind=kind: getattr(layers, kind)(7)(image(axes)), "max_p", "avg_p", "average_p")
    for kind in (f"AdaptiveMaxPooling{axes}D", f"AdaptiveAveragePooling{axes}D"):
        for bad in (*NO_LENGTHS, too_many(axes)):
            refused(lambda kind=kind, bad=bad: getattr(layers, kind)(bad), kind)


@pytest.mark.parametrize("axes", AXES)
def test_layers_that_resize(axes):
    for bad in (*NO_LENGTHS, too_many(axes)):
        refused(lambda bad=bad: getattr(layers, f"UpSampling{axes}D")(bad), f"UpSampling{axes}D")
    for kind in (f"ZeroPadding{axes}D", f"Cropping{axes}D"):
        for bad in (-1, 1.5, "1", None, ((1, 2, 3),) * axes, ((1, -1),) * axes):
            refused(lambda kind=kind, bad=bad: getattr(layers, kind)(bad), kind)
    refused(lambda: getattr(layers, f"Cropping{axes}D")(3)(image(axes)), f"cropping{axes}d")


IMAGE_LAYERS = {
    **{f"{kind}Pooling": (2,) for kind in ("Max", "Average", "AdaptiveMax", "AdaptiveAverage")},
    **dict.fromkeys(("GlobalMaxPooling", "GlobalAveragePooling", "UpSampling", "ZeroPadding", "Cropping"), ()),
}


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("kind", IMAGE_LAYERS)
def test_layers_say_how_many_axes_they_want(kind, axes):
    for shape in ((2, *(6,) * (axes - 1), 6), (2, *(6,) * (axes + 1), 6)):
        layer = getattr(layers, f"{kind}{axes}D")(*IMAGE_LAYERS[kind])
        refused(lambda layer=layer, shape=shape: layer.compute_output_shape(shape), layer.name)
        pool = kind.removesuffix("Pooling").replace("Average", "avg").lower()
        refused(lambda layer=layer, shape=shape: layer(np.zeros(shape, np.float32)), layer.name, f"{pool}_pool{axes}d")
