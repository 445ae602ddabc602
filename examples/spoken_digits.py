"""Spoken digits, written down letter by letter: speech recognition with connectionist temporal classification.

espeak-ng says rows of digits in many voices, at many speeds and pitches. The network hears log-mel spectrograms, three
frames at a time, through two recurrent layers that go both ways, and after each three frames says a letter or nothing.
Which letter belongs to which moment it is never told: CTC (Graves et al., 2006) adds up all ways to say the text.

The measure is the character error rate on voices it never heard, one accent among them, at speeds and pitches between
those it knows: how many letters have to be changed, added or removed, per letter.

    apt-get install espeak-ng
    python examples/spoken_digits.py            2400 recordings, a minute and a half
    python examples/spoken_digits.py --small    of up to two digits, 20 seconds

Writes spoken_digits.png: what is heard and what is made of it, moment by moment.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnn import Sequential, layers, ops
from fastnn.audio import log_mel_spectrogram, read_wav
from fastnn.losses import CTC
from fastnn.optimizers import Adam
from fastnn.optimizers.schedules import CosineDecay
from fastnn.random import set_random_seed
from fastnn.text import edit_distance, pad_sequences

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LETTERS = sorted({letter for digit in DIGITS for letter in digit} | {" "})
FRAME, STEP, FILTERS, AT_ONCE = 512, 256, 40, 3  # samples, of which espeak-ng makes 22050 a second


class Voices(NamedTuple):
    accents: list[str]
    variants: list[str]
    speeds: list[int]  # words a minute
    pitches: list[int]


HEARD = Voices(
    ["en-us", "en-gb", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc"],
    ["m1", "m2", "m3", "m4", "m6", "m7", "f1", "f2", "f4", "f5"],
    [120, 140, 160, 180, 200],
    [20, 35, 50, 65, 80],
)
UNHEARD = Voices(
    ["en-us", "en-gb", "en-gb-scotland"],
    ["m5", "m8", "f3", "grandma"],
    [130, 150, 170, 190],
    [28, 42, 58, 72],
)


def speak(text: str, voice: str, speed: int, pitch: int) -> Any:
    """The log-mel spectrogram, (t, FILTERS), of a text as espeak-ng says it; each band with mean 0 and variance 1."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    signal, rate = read_wav(io.BytesIO(sound))
    heard = log_mel_spectrogram(signal, rate, FRAME, STEP, FILTERS, 60, 8000, floor=1e-4)
    return (heard - heard.mean(0)) / (heard.std(0) + 1e-3)


def recordings(rng: np.random.Generator, n: int, longest: int, voices: Voices) -> tuple[list[Any], list[str]]:
    """n spectrograms and the texts that were said, of 1 to `longest` digits."""
    texts = [" ".join(rng.choice(DIGITS, rng.integers(1, longest + 1))) for _ in range(n)]
    orders = [
        (text, f"{rng.choice(voices.accents)}+{rng.choice(voices.variants)}",
         int(rng.choice(voices.speeds)), int(rng.choice(voices.pitches)))
        for text in texts
    ]  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda order: speak(*order), orders)), texts


def batch(heard: list[Any], texts: list[str], steps: int, letters: int) -> tuple[Any, Any]:
    """(n, steps, AT_ONCE * FILTERS), filled up with zeros, which are masked; and the letters' numbers, then 0."""
    x = pad_sequences(heard, steps * AT_ONCE, "float32", padding="post", truncating="post")
    y = [[1 + LETTERS.index(letter) for letter in text] for text in texts]
    return x.reshape(len(heard), steps, AT_ONCE * FILTERS), pad_sequences(y, letters, padding="post")


def network(units: int) -> Any:
    """The logits of nothing and of each letter after every step."""
    return Sequential(
        [
            layers.Masking(),
            layers.GaussianNoise(0.4),
            layers.Bidirectional(layers.GRU(units, return_sequences=True)),
            layers.Bidirectional(layers.GRU(units, return_sequences=True)),
            layers.Dense(1 + len(LETTERS)),
        ]
    )


def write(logits: Any, steps: Any) -> list[str]:
    """What the network says: the likeliest of each step, repeats once, nothings left out."""
    labels, _ = ops.ctc_decode(logits, steps)
    return ["".join(LETTERS[label - 1] for label in row if label > 0) for row in labels[0]]


def draw(heard: Any, logits: Any, said: str, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    chances = ops.softmax(logits)
    seconds = len(chances) * AT_ONCE * STEP / 22050
    figure, (above, below) = plt.subplots(2, 1, figsize=(10, 5), sharex=True, layout="constrained")
    above.imshow(heard.T, origin="lower", aspect="auto", extent=(0, seconds, 0, FILTERS), cmap="magma")
    above.set(ylabel="band", title=f"'{said}', in a voice it never heard")
    times = (np.arange(len(chances)) + 0.5) * seconds / len(chances)
    below.plot(times, chances[:, 0], color="lightgrey", label="nothing")
    below.plot(times, chances[:, 1:])
    best, before = chances.argmax(1), 0
    for at, number in enumerate(best):
        if number not in (0, before):
            name = LETTERS[number - 1].replace(" ", "␣")
            below.text(times[at], chances[at, number] + 0.03, name, ha="center")
        before = number
    below.set(xlabel="seconds", ylabel="probability", ylim=(0, 1.15))
    below.legend(loc="center right")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="fewer and shorter recordings")
    parser.add_argument("--out", type=Path, default=Path("spoken_digits.png"), help="where the picture goes")
    options = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        sys.exit("spoken_digits.py needs the program espeak-ng, which speaks: apt-get install espeak-ng")
    n, longest, units, epochs, limit = (700, 2, 48, 25, 0.06) if options.small else (2400, 5, 64, 15, 0.02)
    set_random_seed(1)
    rng = np.random.default_rng(0)
    heard, texts = recordings(rng, n, longest, HEARD)
    new, said = recordings(rng, 300, longest, UNHEARD)
    steps = -(-max(map(len, heard + new)) // AT_ONCE)
    print(f"{n} recordings to learn from, of {sum(map(len, heard)) * STEP / 22050 / 60:.0f} minutes in all")
    x, y = batch(heard, texts, steps, max(map(len, texts)))
    model = network(units)
    model.compile(Adam(CosineDecay(6e-3, epochs * -(-n // 32)), clipnorm=1.0), CTC())
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=2)

    given, _ = batch(new, said, steps, 1)
    logits = model.predict(given, verbose=0)
    spoken = np.array([-(-len(one) // AT_ONCE) for one in new])
    written = write(logits, spoken)
    error = sum(map(edit_distance, written, said)) / sum(map(len, said))
    exact = np.mean([one == other for one, other in zip(written, said, strict=True)])
    for one, other in list(zip(said, written, strict=True))[:5]:
        print(f"said: {one:30} written: {other}")
    shown = int(np.argmax([len(text) * (text == one) for text, one in zip(said, written, strict=True)]))
    draw(new[shown], logits[shown, : spoken[shown]], said[shown], options.out)
    print(f"{len(said)} new recordings, unheard voices: character error {error:.2%}, without a mistake {exact:.1%}")
    assert error <= limit, error


if __name__ == "__main__":
    main()
