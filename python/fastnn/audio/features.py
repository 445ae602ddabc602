"""What is heard, as numbers: how strong each band of frequencies is at each moment.

A signal is cut into frames that overlap; each is weighted by a window, so that its ends do not sound like a click, and
taken apart into frequencies; those are gathered in bands as wide as the ear's; loudness is a logarithm.

    signal (samples,) -> frames (t, length) -> spectrogram (t, bins) -> log-mel (t, filters) -> MFCC (t, coefficients)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array


def hertz_to_mel(frequency: Any) -> Any:
    """The mel scale, on which the ear's steps are equal: 2595 log10(1 + f / 700). Source: O'Shaughnessy, 1987."""
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)


def mel_to_hertz(mel: Any) -> Any:
    """The other way: 700 (10^(m / 2595) - 1)."""
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def frames(signal: Any, length: int, step: int) -> Array:
    """Stretches of `length` samples, `step` apart: y_t = signal[t step : t step + length].

    signal: (samples,). Samples behind the last whole frame are left out. Returns a view, (t, length), read-only.
    """
    signal = np.asarray(signal)
    if signal.ndim != 1:
        raise ValueError(f"[frames] expected a signal (samples,), got {signal.shape}")
    for name, value in (("length", length), ("step", step)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0:
            raise ValueError(f"[frames] expected {name} to be a positive integer, got {value!r}")
    if len(signal) < length:
        return np.empty((0, length), signal.dtype)
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::step]


def spectrogram(signal: Any, length: int, step: int, fft_length: int | None = None) -> Array:
    """Power by frame and frequency: |FFT(window frame)|^2, the window being Hann's, sin(pi k / length)^2.

    fft_length: to which frames are filled up with zeros; `length` if None. Returns (t, fft_length // 2 + 1); bin k is
    the frequency k rate / fft_length. float32 stays float32.
    """
    size = length if fft_length is None else fft_length
    if size < length:
        raise ValueError(f"[spectrogram] expected fft_length of at least {length}, got {fft_length}")
    cut = frames(signal, length, step)
    window = np.sin(np.pi * np.arange(length) / length) ** 2
    spectrum = np.fft.rfft(cut * window, size)
    power: Array = spectrum.real**2 + spectrum.imag**2
    return power.astype(np.result_type(cut.dtype, np.float32), copy=False)


def mel_filter_bank(
    filters: int, fft_length: int, rate: float, lowest: float = 0.0, highest: float | None = None
) -> Array:
    """Triangles that overlap by half, their corners equally far apart in mel: spectrogram @ bank is the power of bands.

    lowest, highest: in hertz, where the first triangle begins and the last ends; half of `rate` if None. Each triangle
    rises to 1 in its middle. Returns (fft_length // 2 + 1, filters), float64. Source: Davis and Mermelstein, 1980.
    """
    top = rate / 2 if highest is None else highest
    if not 0 <= lowest < top <= rate / 2:
        raise ValueError(f"[mel_filter_bank] expected 0 <= lowest < highest <= {rate / 2}, got {lowest} and {highest}")
    corners = mel_to_hertz(np.linspace(hertz_to_mel(lowest), hertz_to_mel(top), filters + 2))
    frequency = np.arange(fft_length // 2 + 1)[:, None] * (rate / fft_length)
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequency - left) / (middle - left), (right - frequency) / (right - middle)
    bank: Array = np.maximum(0, np.minimum(rising, falling))
    return bank


def log_mel_spectrogram(
    signal: Any,
    rate: float,
    length: int,
    step: int,
    filters: int = 40,
    lowest: float = 0.0,
    highest: float | None = None,
    floor: float = 1e-10,
) -> Array:
    """ln(max(spectrogram @ mel_filter_bank, floor)), (t, filters), in the signal's own floating type."""
    power = spectrogram(signal, length, step)
    bands = power @ mel_filter_bank(filters, length, rate, lowest, highest).astype(power.dtype)
    loudness: Array = np.log(np.maximum(bands, floor))
    return loudness


def mfcc(log_mel: Any, coefficients: int = 13) -> Array:
    """Mel-frequency cepstrum: y_k = s_k sum_j x_j cos(pi k (j + 1/2) / filters), the orthonormal cosine transform.

    log_mel: (..., filters). s_0 = sqrt(1 / filters), the others sqrt(2 / filters). Returns (..., coefficients).
    """
    log_mel = np.asarray(log_mel)
    filters = log_mel.shape[-1] if log_mel.ndim else 0
    if not 0 < coefficients <= filters:
        raise ValueError(f"[mfcc] expected coefficients in [1, {filters}], got {coefficients}")
    k, j = np.arange(coefficients), np.arange(filters)[:, None]
    basis = np.cos(np.pi * k * (j + 0.5) / filters) * np.sqrt(np.where(k == 0, 1, 2) / filters)
    y: Array = log_mel @ basis.astype(np.result_type(log_mel.dtype, np.float32))
    return y
