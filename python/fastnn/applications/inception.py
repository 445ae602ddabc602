"""GoogLeNet and Inception v3: branches of several window sizes side by side. Without the auxiliary classifiers."""

from __future__ import annotations

from typing import Any

from fastnn import layers
from fastnn.applications.blocks import convolution, max_pooling, normalised, scaled
from fastnn.models import Model

#: Channels of each inception of GoogLeNet: 1x1; 3x3 and what it is reduced to before; 5x5 likewise; after pooling.
_GOOGLENET = [
    [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)],
    [
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ],
    [(256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)],
]


def GoogLeNet(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.4,
    classifier_activation: str | None = "softmax",
) -> Model:
    """GoogLeNet: 6,998,552 parameters. Source: Szegedy et al., 2015, table 1."""
    x = inputs = layers.Input(input_shape)
    x = max_pooling(convolution(x, scaled(64, width), 7, 2, padding=3))
    x = layers.LocalResponseNormalization()(x)
    x = convolution(convolution(x, scaled(64, width), 1), scaled(192, width), 3)
    x = layers.LocalResponseNormalization()(x)
    for stage in _GOOGLENET:
        x = max_pooling(x)
        for channels in stage:
            one, reduce3, three, reduce5, five, pooled = (scaled(c, width) for c in channels)
            branches = [
                convolution(x, one, 1),
                convolution(convolution(x, reduce3, 1), three, 3),
                convolution(convolution(x, reduce5, 1), five, 5),
                convolution(max_pooling(x, 3, 1), pooled, 1),
            ]
            x = layers.Concatenate()(branches)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))


def InceptionV3(
    input_shape: tuple[int, int, int] = (299, 299, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Model:
    """Inception v3: 23,834,568 trained parameters. Images of at least 75 x 75. Source: Szegedy et al., 2016."""

    def conv(x: Any, filters: int, size: Any, strides: int = 1, padding: str = "same") -> Any:
        return normalised(x, scaled(filters, width), size, strides, padding, epsilon=1e-3)

    def chain(x: Any, *steps: tuple[int, Any]) -> Any:
        for filters, size in steps:
            x = conv(x, filters, size)
        return x

    def averaged(x: Any, filters: int) -> Any:
        return conv(layers.AveragePooling2D(3, 1, "same")(x), filters, 1)

    def joined(*branches: Any) -> Any:
        return layers.Concatenate()(list(branches))

    def split(x: Any, *steps: tuple[int, Any]) -> Any:
        """384 channels each from windows of a row and of a column."""
        x = chain(x, *steps)
        return joined(conv(x, 384, (1, 3)), conv(x, 384, (3, 1)))

    x = inputs = layers.Input(input_shape)
    x = conv(x, 32, 3, 2, "valid")
    x = conv(conv(x, 32, 3, 1, "valid"), 64, 3)
    x = max_pooling(x, padding="valid")
    x = conv(conv(x, 80, 1, 1, "valid"), 192, 3, 1, "valid")
    x = max_pooling(x, padding="valid")
    for pooled in (32, 64, 64):  # 35 x 35
        five, three = chain(x, (48, 1), (64, 5)), chain(x, (64, 1), (96, 3), (96, 3))
        x = joined(conv(x, 64, 1), five, three, averaged(x, pooled))
    three = conv(chain(x, (64, 1), (96, 3)), 96, 3, 2, "valid")
    x = joined(conv(x, 384, 3, 2, "valid"), three, max_pooling(x, padding="valid"))
    for c in (128, 160, 160, 192):  # 17 x 17, windows of 7 as a row and a column
        once = chain(x, (c, 1), (c, (1, 7)), (192, (7, 1)))
        twice = chain(x, (c, 1), (c, (7, 1)), (c, (1, 7)), (c, (7, 1)), (192, (1, 7)))
        x = joined(conv(x, 192, 1), once, twice, averaged(x, 192))
    three = conv(conv(x, 192, 1), 320, 3, 2, "valid")
    seven = conv(chain(x, (192, 1), (192, (1, 7)), (192, (7, 1))), 192, 3, 2, "valid")
    x = joined(three, seven, max_pooling(x, padding="valid"))
    for _ in range(2):  # 8 x 8
        x = joined(conv(x, 320, 1), split(x, (384, 1)), split(x, (448, 1), (384, 3)), averaged(x, 192))
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))
