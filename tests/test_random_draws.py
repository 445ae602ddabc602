"""Numbers drawn by fastnn.random: distributions, dtypes, and what seeds mean."""

import numpy as np
import pytest
from scipy import stats

from fastnn import Sequential, layers, ops, random

N = 20_000


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [
        (lambda s: random.uniform((N,), -1, 3, seed=s), stats.uniform(-1, 4)),
        (lambda s: random.normal((N,), 2.0, 0.5, seed=s), stats.norm(2, 0.5)),
        (lambda s: random.truncated_normal((N,), 2.0, 0.5, seed=s), stats.truncnorm(-2, 2, 2, 0.5)),
        (lambda s: random.gamma((N,), 2.5, seed=s), stats.gamma(2.5)),
        (lambda s: random.beta((N,), 2.0, 3.0, seed=s), stats.beta(2, 3)),
    ],
)
def test_numbers_have_the_distribution_and_repeat_with_the_seed(draw, distribution):
    y = draw(3)
    assert y.dtype == np.float32 and y.shape == (N,)
    # by a seed that is fixed: the largest distance of the distribution functions is below the 1 % level
    assert stats.kstest(y.astype(np.float64), distribution.cdf).pvalue > 0.01
    np.testing.assert_array_equal(draw(3), y)
    assert not np.array_equal(draw(4), y) and not np.array_equal(draw(None), draw(None))
    seeds = random.SeedGenerator(5)
    assert not np.array_equal(draw(seeds), draw(seeds))
    random.set_random_seed(1)
    first = draw(None)
    random.set_random_seed(1)
    np.testing.assert_array_equal(draw(None), first)


def test_bounds_and_dtypes():
    y = random.uniform((100_000,), 1.0, 1.0 + 1e-6, seed=1)  # eight float32 numbers, the last of which is left out
    assert y.min() == 1 and y.max() < np.float32(1 + 1e-6)
    assert np.max(np.abs(random.truncated_normal((N,), seed=1))) <= 2
    assert random.normal((2,), dtype="float64").dtype == np.float64
    whole = random.randint((N,), -2, 3, seed=1)
    assert whole.dtype == np.int32 and set(np.unique(whole)) == {-2, -1, 0, 1, 2}
    assert random.randint((0, 3), 0, 2, dtype="uint8").shape == (0, 3)
    assert random.uniform((), 2, 2) == 2


def test_classes_are_drawn_by_their_probabilities():
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        y = random.categorical(np.log(p), N, seed=2)
    assert y.shape == (2, N) and y.dtype == np.int32
    for row, expected in zip(y, p, strict=True):
        shares = np.bincount(row, minlength=3) / N
        np.testing.assert_allclose(shares, expected, atol=4 * 0.5 / N**0.5)  # four standard deviations
    wins = random.binomial((N,), 10, 0.3, seed=2)
    assert wins.dtype == np.float32 and abs(wins.mean() - 3) < 4 * (2.1 / N) ** 0.5 and wins.max() <= 10


@pytest.mark.parametrize("axis", [0, 1])
def test_shuffling_moves_whole_slices(axis):
    x = np.arange(30).reshape(5, 6)
    y = random.shuffle(x, axis, seed=1)
    order = np.moveaxis(y, axis, 0)[:, 0].argsort()
    np.testing.assert_array_equal(np.take(y, order, axis), x)
    assert not np.array_equal(x, y)


def test_what_makes_no_sense_is_refused():
    for call, message in (
        (lambda: random.uniform((2,), 1, 0), "expected minval <= maxval, got 1 and 0"),
        (lambda: random.uniform((2,), dtype="int32"), "expected dtype float32 or float64, got int32"),
        (lambda: random.randint((2,), 0, 2, dtype="float32"), "expected dtype of whole numbers, got float32"),
        (lambda: random.categorical([0.0], 2), r"expected logits \(n, classes\), got \(1,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_dropout_is_that_of_ops(rng):
    x = rng.standard_normal((40, 30)).astype("float32")
    y = random.dropout(x, 0.25, noise_shape=(40, 1), seed=3)
    np.testing.assert_array_equal(y, ops.dropout(x, 0.25, noise_shape=(40, 1), seed=3))
    seed = random.SeedGenerator(3)
    assert not np.array_equal(random.dropout(x, 0.5, seed=seed), random.dropout(x, 0.5, seed=seed))

    class Noisy(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed_generator = random.SeedGenerator(7)

        def call(self, x, training=False):
            return random.dropout(x, 0.5, seed=self.seed_generator) if training else x

    model = Sequential([layers.Input((3,)), Noisy(), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()[0].copy()
    model.fit(np.ones((8, 3), "float32"), np.ones((8, 1), "float32"), verbose=0)
    assert not np.array_equal(before, model.get_weights()[0])


def test_a_seed_generator_comes_back_from_its_configuration():
    config = random.SeedGenerator(5, name="noise").get_config()
    again = random.SeedGenerator.from_config(config)
    assert config == {"seed": 5, "name": "noise"} == again.get_config()
    np.testing.assert_array_equal(random.normal((3,), seed=again), random.normal((3,), seed=random.SeedGenerator(5)))
