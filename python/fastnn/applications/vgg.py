"""VGG: convolutions 3x3, again and again."""

from __future__ import annotations

from fastnn import layers
from fastnn.applications.blocks import convolution, normalised, scaled
from fastnn.models import Model


def VGG16(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Model:
    """VGG16: thirteen convolutions and three dense layers, 138,357,544 parameters.

    Source: Simonyan and Zisserman, 2015, table 1, column D.
    """
    x = inputs = layers.Input(input_shape)
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            x = convolution(x, scaled(filters, width), 3)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dropout(dropout)(layers.Dense(scaled(4096, width), "relu")(x))
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))


def VGGCifar(
    input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10, classifier_activation: str | None = "softmax"
) -> Model:
    """A VGG for small images: pairs of 64, 128 and 256 channels with batch normalisation, and two dense layers."""
    x = inputs = layers.Input(input_shape)
    for filters in (64, 128, 256):
        x = normalised(normalised(x, filters, 3), filters, 3)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(256, "relu")(layers.Flatten()(x))
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))
