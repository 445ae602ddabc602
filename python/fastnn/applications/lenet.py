"""Small networks for images of digits."""

from __future__ import annotations

from fastnn import layers
from fastnn.models import Model, Sequential


def LeNet5(
    input_shape: tuple[int, int, int] = (32, 32, 1),
    classes: int = 10,
    activation: str = "tanh",
    pooling: str = "average",
    classifier_activation: str | None = "softmax",
) -> Model:
    """LeNet-5: two convolutions 5x5 and three dense layers, 61,706 parameters.

    input_shape: (32, 32, c); 28 x 28 is padded in the first convolution instead. pooling: "average" or "max". The third
    layer is connected to all channels of the one before, and outputs are a dense layer, as is usual today.
    Source: LeCun, Bottou, Bengio and Haffner, 1998.
    """
    pool = layers.AveragePooling2D if pooling == "average" else layers.MaxPooling2D
    return Sequential(
        [
            layers.Input(input_shape),
            layers.Conv2D(6, 5, padding="same" if input_shape[0] == 28 else "valid", activation=activation),
            pool(2),
            layers.Conv2D(16, 5, activation=activation),
            pool(2),
            layers.Flatten(),
            layers.Dense(120, activation),
            layers.Dense(84, activation),
            layers.Dense(classes, classifier_activation),
        ]
    )


def SmallCNN(
    input_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10, classifier_activation: str | None = "softmax"
) -> Model:
    """Two convolutions 3x3 with 32 and 64 channels, each with max pooling, and two dense layers."""
    return Sequential(
        [
            layers.Input(input_shape),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dense(classes, classifier_activation),
        ]
    )
