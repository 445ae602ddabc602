"""utils.timeseries_dataset_from_array, and the settings of config."""

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, config, layers, optimizers, utils
from fastnn.random import set_random_seed
from fastnn.utils import timeseries_dataset_from_array


def test_windows_begin_where_their_targets_do():
    data, targets = np.arange(10), np.arange(10) * 10
    batches = list(timeseries_dataset_from_array(data, targets, 3, batch_size=4))
    assert [len(x) for x, _ in batches] == [4, 4]
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    np.testing.assert_array_equal(x, [[i, i + 1, i + 2] for i in range(8)])
    np.testing.assert_array_equal(y, x[:, 0] * 10)


def test_strides_rates_and_a_part_of_the_data():
    (x,) = timeseries_dataset_from_array(
        np.arange(20), None, 3, sequence_stride=4, sampling_rate=2, start_index=2, end_index=16
    )
    np.testing.assert_array_equal(x, [[2, 4, 6], [6, 8, 10], [10, 12, 14]])
    (x, y), *_ = timeseries_dataset_from_array(np.arange(20), np.arange(20), 2, start_index=5, end_index=10)
    np.testing.assert_array_equal(y, x[:, 0])
    single = timeseries_dataset_from_array(np.zeros((6, 2)), None, 4, batch_size=None)
    assert len(single) == 3
    assert single[0].shape == (4, 2)


def test_fewer_targets_than_windows_are_all_that_count():
    assert sum(len(y) for _, y in timeseries_dataset_from_array(np.arange(30), np.arange(5), 2)) == 5


def test_an_order_of_windows_is_drawn_once():
    (x,) = shuffled = timeseries_dataset_from_array(np.arange(50), None, 1, shuffle=True, seed=3)
    assert sorted(x[:, 0]) == list(range(50))
    assert x[:, 0].tolist() != list(range(50))
    np.testing.assert_array_equal(shuffled[0], x)


def test_a_net_is_fitted_to_windows(rng):
    series = np.sin(np.arange(200) / 5).astype(np.float32)[:, None]
    windows = timeseries_dataset_from_array(series[:-1], series[8:], 8, batch_size=32, shuffle=True, seed=1)
    set_random_seed(1)
    model = Sequential([layers.Input((8, 1)), layers.GRU(8), layers.Dense(1)])
    model.compile(optimizers.Adam(0.01), "mse")
    losses = model.fit(windows, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sequence_length": 0}, "sequence_length >= 1"),
        ({"sequence_length": 11}, "at least 11 steps"),
        ({"sequence_length": 2, "sampling_rate": 0}, "sampling_rate >= 1"),
        ({"sequence_length": 2, "end_index": 12}, r"end_index in \[0, 10\]"),
    ],
)
def test_settings_without_a_window_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(np.arange(10), None, **settings)


def test_config_has_kerass_names():
    assert (config.epsilon(), config.backend(), config.image_data_format()) == (1e-7, "numpy", "channels_last")
    assert fastnn.backend.epsilon() == 1e-7
    assert fastnn.backend.floatx() == fastnn.floatx()
    assert config.standardize_dtype(None) == "float32"
    assert config.standardize_dtype(np.int64) == "int64"
    assert config.result_type("float32", "float64") == "float64"
    assert config.is_float_dtype("float64") and config.is_int_dtype("uint8") and not config.is_int_dtype("bool")
    assert utils.is_keras_tensor(layers.Input((3,)))
    assert not utils.is_keras_tensor(np.zeros(3))
    with pytest.raises(ValueError, match="expected an array or a symbolic tensor, got str"):
        utils.is_keras_tensor("x")
    with pytest.raises(ValueError, match="expected 'channels_last'"):
        config.set_image_data_format("channels_first")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fastnn.backend.nothing  # noqa: B018


def test_after_clear_session_names_count_anew():
    utils.clear_session()
    first = [layers.Dense(1).name, layers.Dense(1).name]
    assert first == ["dense", "dense_1"]
    utils.clear_session()
    assert layers.Dense(1).name == "dense"
