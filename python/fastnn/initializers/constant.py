"""Weights that begin with values known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike, float_dtype
from fastnn.initializers.initializer import Initializer


class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return np.zeros(shape, float_dtype(dtype, "Zeros"))


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return np.ones(shape, float_dtype(dtype, "Ones"))


class Constant(Initializer):
    """All equal to value, or value itself where it is an array of that shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return np.array(np.broadcast_to(np.asarray(self.value), tuple(shape)), float_dtype(dtype, "Constant"))

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


class Identity(Initializer):
    """gain times the identity matrix; of a matrix that is not square, as far as it goes."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        if len(shape) != 2:
            raise ValueError(f"[Identity] expected a shape of 2 axes, got {tuple(shape)}")
        return self.gain * np.eye(*shape, dtype=float_dtype(dtype, "Identity"))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class STFT(Initializer):
    """Convolution kernels of the short-time Fourier transform: cos(w t), or -sin(w t), times a window.

    Called with shape (frame_length, channels, frequencies): those of a transform of length
    2 (frequencies - 1), from 0 to half the sampling rate.
    side: "real" or "imag". window: "hann", "hamming", "blackman", "bartlett", an array (frame_length,), or None.
    scaling: the window is divided by its L2 norm ("density"), by its L1 norm ("spectrum"), or not (None).
    periodic: the window as part of a periodic function, without its last point, in place of a symmetric one.
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"[STFT] expected side 'real' or 'imag', got {side!r}")
        if isinstance(window, str) and window not in _WINDOWS:
            raise ValueError(
                f"[STFT] expected window {', '.join(map(repr, _WINDOWS))}, an array or None, got {window!r}"
            )
        if scaling not in ("density", "spectrum", None):
            raise ValueError(f"[STFT] expected scaling 'density', 'spectrum' or None, got {scaling!r}")
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, bool(periodic)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        if len(shape) != 3:
            raise ValueError(f"[STFT] expected a shape (frame_length, channels, frequencies), got {tuple(shape)}")
        frame_length, _, frequencies = shape
        time = np.arange(frame_length)[:, None, None]
        phase = 2 * np.pi * time * np.arange(frequencies) / max(1, 2 * (frequencies - 1))
        kernel = np.cos(phase) if self.side == "real" else -np.sin(phase)
        if self.window is not None:
            window = self._window(frame_length)
            norm = {"density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(np.abs(window)), None: 1.0}[self.scaling]
            kernel = kernel * (window / norm)[:, None, None]
        return np.array(np.broadcast_to(kernel, tuple(shape)), float_dtype(dtype, "STFT"))

    def _window(self, length: int) -> Array:
        if isinstance(self.window, str):
            points: Array = getattr(np, _WINDOWS[self.window])(length + self.periodic)[:length]
            return points
        points = np.asarray(self.window, np.float64)
        if points.shape != (length,):
            raise ValueError(f"[STFT] expected a window of shape ({length},), got {points.shape}")
        return points

    def get_config(self) -> dict[str, Any]:
        window = (
            self.window if self.window is None or isinstance(self.window, str) else np.asarray(self.window).tolist()
        )
        return {"side": self.side, "window": window, "periodic": self.periodic, "scaling": self.scaling}


#: Windows by Keras's name, and NumPy's name of them.
_WINDOWS = {"hann": "hanning", "hamming": "hamming", "blackman": "blackman", "bartlett": "bartlett"}
