"""Features of sound, against their formulas."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from fastnn import audio
from fastnn.text import edit_distance

RATE = 8000


def tone(hertz, seconds=0.25, rate=RATE):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def test_frames_are_stretches_that_overlap(rng):
    signal = rng.standard_normal(103)
    cut = audio.frames(signal, 20, 7)
    assert cut.shape == (12, 20) and not cut.flags.writeable
    for t, frame in enumerate(cut):
        np.testing.assert_array_equal(frame, signal[7 * t : 7 * t + 20])
    assert audio.frames(signal, 103, 7).shape == (1, 103)
    assert audio.frames(signal, 104, 7).shape == (0, 104)
    with pytest.raises(ValueError, match=r"\[frames\] expected step to be a positive integer, got 0"):
        audio.frames(signal, 20, 0)
    with pytest.raises(ValueError, match=r"\[frames\] expected a signal \(samples,\), got \(2, 3\)"):
        audio.frames(np.zeros((2, 3)), 1, 1)


@pytest.mark.parametrize(("length", "size"), [(20, 20), (20, 32), (15, 16)])
def test_spectrogram_is_the_squared_fourier_sum_of_the_windowed_frame(rng, length, size):
    signal = rng.standard_normal(100)
    found = audio.spectrogram(signal, length, 9, size)
    k = np.arange(length)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * k / length)
    for t, frame in enumerate(audio.frames(signal, length, 9)):
        for f in range(size // 2 + 1):
            power = abs(np.sum(hann * frame * np.exp(-2j * np.pi * f * k / size))) ** 2
            np.testing.assert_allclose(found[t, f], power, rtol=1e-9, atol=1e-12)
    assert audio.spectrogram(signal.astype(np.float32), length, 9, size).dtype == np.float32
    with pytest.raises(ValueError, match=r"\[spectrogram\] expected fft_length of at least 20, got 16"):
        audio.spectrogram(signal, 20, 9, 16)


def test_a_tone_is_where_its_frequency_is():
    power = audio.spectrogram(tone(1000), 256, 128)
    assert (power.argmax(1) == 1000 * 256 // RATE).all()


def test_mel_scale_has_a_thousand_at_a_thousand_and_an_inverse():
    assert audio.hertz_to_mel(1000) == pytest.approx(1000, abs=0.02)
    assert audio.hertz_to_mel(0) == 0
    f = np.array([20.0, 300.0, 4000.0])
    np.testing.assert_allclose(audio.mel_to_hertz(audio.hertz_to_mel(f)), f)


def test_mel_filters_are_triangles_that_add_up_to_one_between_their_first_and_last_peak():
    bank = audio.mel_filter_bank(10, 1024, RATE, 100, 3500)
    assert bank.shape == (513, 10) and bank.min() == 0 and bank.max() <= 1
    corners = audio.mel_to_hertz(np.linspace(audio.hertz_to_mel(100), audio.hertz_to_mel(3500), 12))
    hertz = np.arange(513) * RATE / 1024
    for i in range(10):
        expected = np.interp(hertz, corners[i : i + 3], [0, 1, 0], left=0, right=0)
        np.testing.assert_allclose(bank[:, i], expected, atol=1e-12)
    inside = (hertz >= corners[1]) & (hertz <= corners[-2])
    np.testing.assert_allclose(bank[inside].sum(1), 1)
    with pytest.raises(ValueError, match=r"\[mel_filter_bank\] expected 0 <= lowest < highest <= 4000.0, got"):
        audio.mel_filter_bank(10, 64, RATE, highest=5000)


def test_log_mel_spectrogram_is_the_logarithm_of_the_power_in_bands():
    signal = tone(700) + 0.1 * tone(2300)
    found = audio.log_mel_spectrogram(signal, RATE, 256, 100, filters=20, floor=1e-3)
    power = audio.spectrogram(signal, 256, 100) @ audio.mel_filter_bank(20, 256, RATE)
    np.testing.assert_allclose(found, np.log(np.maximum(power, 1e-3)))
    assert found.min() == np.log(1e-3)
    assert audio.log_mel_spectrogram(signal.astype(np.float32), RATE, 256, 100).dtype == np.float32


def test_mfcc_is_the_orthonormal_cosine_transform(rng):
    x = rng.standard_normal((3, 8))
    y = audio.mfcc(x, 8)
    for k in range(8):
        s = np.sqrt((1 if k == 0 else 2) / 8)
        np.testing.assert_allclose(y[:, k], s * sum(x[:, j] * np.cos(np.pi * k * (j + 0.5) / 8) for j in range(8)))
    np.testing.assert_allclose((y**2).sum(1), (x**2).sum(1))  # orthonormal
    np.testing.assert_array_equal(audio.mfcc(x, 3), y[:, :3])
    with pytest.raises(ValueError, match=r"\[mfcc\] expected coefficients in \[1, 8\], got 9"):
        audio.mfcc(x, 9)


def written(samples, width, channels=1):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, RATE, 0, "NONE", ""))
        out.writeframes(samples.tobytes())
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("dtype", "samples"),
    [("u1", [128, 0, 255]), ("<i2", [0, -(2**15), 2**15 - 1]), ("<i4", [0, -(2**31), 2**31 - 1])],
)
def test_wav_samples_lie_between_minus_one_and_one(dtype, samples):
    signal, rate = audio.read_wav(written(np.array(samples, dtype), np.dtype(dtype).itemsize))
    assert rate == RATE and signal.dtype == np.float32
    np.testing.assert_allclose(signal, [0, -1, 1], atol=1 / 127)
    assert signal[0] == 0 and signal[1] == -1


def test_wav_files_may_have_channels_and_streams_no_length(tmp_path):
    stereo = np.array([[1, -1], [2, -2], [3, -3]], "<i2") * 4096
    file = written(stereo, 2, 2)
    Path(tmp_path / "two.wav").write_bytes(file.getvalue())
    signal, _ = audio.read_wav(tmp_path / "two.wav")
    np.testing.assert_array_equal(signal, stereo / 2**15)
    endless = bytearray(written(stereo[:, 0].copy(), 2).getvalue())
    endless[40:44] = (2**31 - 2).to_bytes(4, "little")
    signal, _ = audio.read_wav(io.BytesIO(endless + b"\0"))  # and half a sample
    np.testing.assert_array_equal(signal[:3], stereo[:, 0] / 2**15)
    with pytest.raises(ValueError, match=r"\[read_wav\] expected samples of 1, 2 or 4 bytes, got 3"):
        audio.read_wav(written(np.zeros(6, "u1"), 3))


@pytest.mark.parametrize(
    ("found", "wanted", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("", "", 0), ("abcdef", "azced", 3), ("ab", "ba", 2)],
)
def test_edit_distance_counts_the_fewest_changes(found, wanted, distance):
    assert edit_distance(found, wanted) == edit_distance(wanted, found) == distance
    assert edit_distance(list(found), tuple(wanted)) == distance


def test_edit_distance_is_that_of_the_plain_recursion(rng):
    def plain(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(plain(a[1:], b) + 1, plain(a, b[1:]) + 1, plain(a[1:], b[1:]) + (a[0] != b[0]))

    for _ in range(30):
        a, b = (rng.integers(0, 3, rng.integers(0, 6)).tolist() for _ in range(2))
        assert edit_distance(a, b) == plain(a, b)
