"""Architectures: as many parameters as published, and a forward and a backward pass at reduced width."""

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, applications, initializers, ops

#: Trained parameters with 1000 classes (LeNet: 10).
PUBLISHED = [
    ("LeNet5", {}, 61_706),
    ("AlexNet", {}, 60_965_224),
    ("AlexNet", {"groups": 1}, 62_378_344),
    ("ZFNet", {}, 62_357_608),
    ("VGG16", {}, 138_357_544),
    ("GoogLeNet", {}, 6_998_552),
    ("InceptionV3", {}, 23_834_568),
    ("ResNet18", {}, 11_689_512),
    ("ResNet50", {}, 25_557_032),
    ("MobileNet", {}, 4_231_976),
    ("SqueezeNet", {}, 1_248_424),
]


@pytest.mark.parametrize(("name", "options", "count"), PUBLISHED)
def test_parameters_are_as_many_as_published(name, options, count, monkeypatch):
    # Drawing 138 million weights takes seconds, and their values do not matter here.
    monkeypatch.setattr(initializers.GlorotUniform, "__call__", lambda self, shape, dtype=None: np.zeros(shape, dtype))
    model = getattr(applications, name)(**options)
    assert sum(v.size for v in model.trainable_variables) == count


#: The smallest image that each takes, or nearly.
SMALL = [
    ("LeNet5", {}, (32, 32, 1)),
    ("AlexNet", {"width": 1 / 12}, (67, 67, 3)),
    ("ZFNet", {"width": 1 / 12}, (64, 64, 3)),
    ("VGG16", {"width": 1 / 8}, (32, 32, 3)),
    ("GoogLeNet", {"width": 1 / 8}, (32, 32, 3)),
    ("InceptionV3", {"width": 1 / 8}, (75, 75, 3)),
    ("ResNet18", {"width": 1 / 8}, (32, 32, 3)),
    ("ResNet50", {"width": 1 / 8}, (32, 32, 3)),
    ("MobileNet", {"width": 1 / 8}, (32, 32, 3)),
    ("SqueezeNet", {"width": 1 / 8}, (48, 48, 3)),
    ("SmallCNN", {}, (28, 28, 1)),
    ("VGGCifar", {}, (32, 32, 3)),
    ("ResNetCifar", {}, (32, 32, 3)),
    ("MobileNetCifar", {}, (32, 32, 3)),
]


@pytest.mark.parametrize(("name", "options", "shape"), SMALL)
def test_forward_and_backward(rng, name, options, shape):
    fastnn.utils.set_random_seed(0)
    model = getattr(applications, name)(input_shape=shape, classes=7, **options)
    x = rng.standard_normal((2, *shape)).astype(np.float32)
    with GradientTape() as tape:
        y = model(x, training=True)
        loss = ops.sum(ops.square(y))
    grads = tape.gradient(loss, model.trainable_variables)
    np.testing.assert_allclose(y.numpy().sum(axis=1), 1, rtol=1e-5)
    assert all(g is not None and np.isfinite(g).all() for g in grads)
    assert sum(g.any() for g in grads) > 0.7 * len(grads)
    assert model.compute_output_shape((None, *shape)) == (None, 7)


def test_logits_without_an_activation(rng):
    model = applications.LeNet5(classifier_activation=None)
    y = model(rng.standard_normal((2, 32, 32, 1)).astype(np.float32))
    assert not np.allclose(y.sum(axis=1), 1)


def test_lenet_pads_images_of_28_pixels():
    small = applications.LeNet5((28, 28, 1), activation="relu", pooling="max")
    assert small.count_params() == 61_706
