"""WAV files as arrays, by Python's own reader."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import IO

import numpy as np

from fastnn.arrays import Array

#: By bytes of a sample: its type, and what stands for silence. Wider samples count from -1/2 of their range.
_SAMPLES = {1: ("u1", 128), 2: ("<i2", 0), 4: ("<i4", 0)}


def read_wav(source: str | Path | IO[bytes]) -> tuple[Array, int]:
    """The signal of an uncompressed WAV file, and its samples in a second.

    source: a path, or a file open for reading bytes; a header that promises more than there is, as that of a stream
    does, is no error. Returns float32 in [-1, 1), (samples,), or (samples, channels) if there are several.
    Raises ValueError for samples that are not of 8, 16 or 32 bits.
    """
    with wave.open(str(source) if isinstance(source, Path) else source, "rb") as file:
        rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
        data = file.readframes(file.getnframes())
    if width not in _SAMPLES:
        raise ValueError(f"[read_wav] expected samples of 1, 2 or 4 bytes, got {width}")
    dtype, silence = _SAMPLES[width]
    whole = len(data) // (width * channels) * width * channels
    signal = ((np.frombuffer(data[:whole], dtype) - float(silence)) / 2 ** (8 * width - 1)).astype(np.float32)
    return (signal if channels == 1 else signal.reshape(-1, channels)), rate
