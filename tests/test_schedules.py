"""Learning rate schedules: exact values, restarts and warm-up, configurations."""

import json
from math import cos, pi

import numpy as np
import pytest

from fastnn.optimizers import schedules


def values(schedule, steps):
    return [schedule(step) for step in steps]


def test_exponential_decay():
    schedule = schedules.ExponentialDecay(0.5, 10, 0.25)
    np.testing.assert_allclose(values(schedule, [0, 5, 10, 30]), [0.5, 0.25, 0.125, 0.5 / 64], rtol=1e-15)


def test_exponential_decay_in_steps():
    schedule = schedules.ExponentialDecay(0.5, 10, 0.25, staircase=True)
    assert values(schedule, [0, 9, 10, 19, 20]) == [0.5, 0.5, 0.125, 0.125, 0.5 / 16]


def test_inverse_time_decay():
    schedule = schedules.InverseTimeDecay(0.5, 10, 3.0)
    np.testing.assert_allclose(values(schedule, [0, 5, 10, 20]), [0.5, 0.5 / 2.5, 0.125, 0.5 / 7], rtol=1e-15)
    schedule = schedules.InverseTimeDecay(0.5, 10, 3.0, staircase=True)
    assert values(schedule, [0, 9, 10, 19]) == [0.5, 0.5, 0.125, 0.125]


def test_polynomial_decay_ends_where_it_is_told_to():
    schedule = schedules.PolynomialDecay(1.0, 10, end_learning_rate=0.2, power=2.0)
    expected = [1.0, 0.8 * 0.25 + 0.2, 0.2, 0.2]
    np.testing.assert_allclose(values(schedule, [0, 5, 10, 50]), expected, rtol=1e-15)
    assert schedules.PolynomialDecay(1.0, 10)(100) == 0.0001


def test_polynomial_decay_in_cycles():
    """decay_steps becomes 20 from step 11 on and 30 from step 21 on."""
    schedule = schedules.PolynomialDecay(1.0, 10, end_learning_rate=0.0, cycle=True)
    np.testing.assert_allclose(
        values(schedule, [0, 10, 11, 15, 20, 21]), [1, 0, 1 - 11 / 20, 0.25, 0, 1 - 21 / 30], rtol=1e-14, atol=1e-16
    )


def test_piecewise_constants_change_after_their_boundaries():
    schedule = schedules.PiecewiseConstantDecay([3, 5], [1.0, 0.5, 0.1])
    assert values(schedule, range(8)) == [1, 1, 1, 1, 0.5, 0.5, 0.1, 0.1]


def test_cosine_decay():
    schedule = schedules.CosineDecay(2.0, 12, alpha=0.25)
    expected = [2.0, 2 * (0.75 * (1 + cos(pi / 3)) / 2 + 0.25), 2 * (0.75 / 2 + 0.25), 0.5, 0.5]
    np.testing.assert_allclose(values(schedule, [0, 4, 6, 12, 99]), expected, rtol=1e-15)


def test_cosine_decay_after_a_warmup():
    schedule = schedules.CosineDecay(0.1, 10, warmup_target=1.1, warmup_steps=4)
    np.testing.assert_allclose(
        values(schedule, [0, 1, 2, 3, 4, 9, 14, 50]), [0.1, 0.35, 0.6, 0.85, 1.1, 0.55, 0, 0], rtol=1e-14, atol=1e-16
    )


def test_cosine_decay_restarts():
    schedule = schedules.CosineDecayRestarts(1.0, 4, t_mul=2.0, m_mul=0.5)
    np.testing.assert_allclose(  # periods of 4, 8 and 16 steps from 1, 1/2 and 1/4
        values(schedule, [0, 2, 4, 8, 12, 20, 28]), [1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125], rtol=1e-14
    )
    schedule = schedules.CosineDecayRestarts(1.0, 4, t_mul=1.0, m_mul=0.5, alpha=0.2)
    np.testing.assert_allclose(values(schedule, [0, 4, 8, 10]), [1, 0.6, 0.4, 0.3], rtol=1e-14)


@pytest.mark.parametrize("t_mul", [1.0, 1.1, 2.0, 3.0, 10.0])
def test_restarts_come_at_their_very_step(t_mul):
    """floor(log(...) / log(t_mul)) would come a step late for t_mul = 10, whose logarithm of 1000 rounds below 3."""
    schedule, start, length = schedules.CosineDecayRestarts(1.0, 10, t_mul=t_mul), 0.0, 10.0
    for _ in range(4):
        np.testing.assert_allclose(schedule(start + length / 2), 0.5, rtol=1e-9)
        start, length = start + length, length * t_mul
        assert schedule(start) == 1.0


def test_linear_warmup_leads_to_a_number_or_a_schedule():
    assert values(schedules.LinearWarmup(1.0, 4, start=0.5), [0, 2, 4, 9]) == [0.5, 0.75, 1.0, 1.0]
    schedule = schedules.LinearWarmup(schedules.ExponentialDecay(1.0, 2, 0.25), 4)
    assert values(schedule, [0, 1, 2, 3, 4, 5, 6]) == [0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    assert schedules.LinearWarmup(0.3, 0)(0) == 0.3


MADE = [
    schedules.ExponentialDecay(0.5, 10, 0.25, staircase=True, name="mine"),
    schedules.InverseTimeDecay(0.5, 10, 3.0, staircase=True),
    schedules.PolynomialDecay(1.0, 10, 0.1, 2.0, True),
    schedules.PiecewiseConstantDecay([3, 5], [1.0, 0.5, 0.1]),
    schedules.CosineDecay(0.1, 10, 0.1, warmup_target=1.0, warmup_steps=5),
    schedules.CosineDecayRestarts(1.0, 4, 3.0, 0.5, 0.1),
    schedules.LinearWarmup(schedules.CosineDecay(0.1, 10), 4, 0.01),
    schedules.LinearWarmup(0.1, 4),
]


@pytest.mark.parametrize("made", MADE, ids=lambda made: type(made).__name__)
def test_configurations_make_the_same_schedule_again(made):
    config = json.loads(json.dumps(schedules.serialize(made)))
    for twin in (schedules.deserialize(config), type(made).from_config(config["config"])):
        assert type(twin) is type(made) and twin.get_config() == made.get_config()
        assert values(twin, range(30)) == values(made, range(30))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), r"\[ExponentialDecay\] expected decay_steps > 0, got 0"),
        (lambda: schedules.CosineDecay(0.1, -1), r"\[CosineDecay\] expected decay_steps > 0, got -1"),
        (lambda: schedules.CosineDecayRestarts(0.1, 5, t_mul=0.5), r"\[SGDRDecay\] expected t_mul >= 1, got 0.5"),
        (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), r"one value more than boundaries, got 1 and 1"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3]), r"boundaries in ascending order"),
        (lambda: schedules.LinearWarmup(0.1, -1), r"\[LinearWarmup\] expected warmup_steps >= 0, got -1"),
        (lambda: schedules.deserialize({"class_name": "CosinDecay", "config": {}}), r"name such as .*'CosineDecay'"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_schedule_of_ones_own_says_what_it_lacks():
    class Empty(schedules.LearningRateSchedule):
        pass

    for call in (lambda: Empty()(0), Empty().get_config):
        with pytest.raises(NotImplementedError, match=r"\[Empty\] expected"):
            call()
