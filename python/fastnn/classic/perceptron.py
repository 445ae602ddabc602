from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array


class Perceptron:
    """The perceptron: y = 1 where x . weights + bias > 0, the other label elsewhere, learned from its mistakes alone.

    The perceptron rule goes over the samples in turn and, for each one on the wrong side, adds learning_rate t x to the
    weights and learning_rate t to the bias, with t = 1 or -1 the side it belongs to. If a plane separates the labels,
    no more than (R / margin)^2 corrections are needed; if none does, learning ends after max_epochs.
    Source: Rosenblatt, 1958; the bound: Novikoff, 1962.

    weights: float64, (features,). bias: float. mistakes: corrections in each epoch. converged: the last had none.
    """

    def __init__(self, learning_rate: float = 1.0, max_epochs: int = 1000) -> None:
        if not learning_rate > 0:
            raise ValueError(f"[Perceptron] expected learning_rate > 0, got {learning_rate}")
        if isinstance(max_epochs, bool) or not isinstance(max_epochs, (int, np.integer)) or max_epochs < 1:
            raise ValueError(f"[Perceptron] expected max_epochs to be a positive integer, got {max_epochs!r}")
        self.learning_rate, self.max_epochs = float(learning_rate), int(max_epochs)
        self.weights: Array = np.zeros(0)
        self.bias = 0.0
        self.mistakes: list[int] = []
        self.converged = False
        self._labels: Array = np.array([0, 1])

    def fit(self, x: Any, y: Any) -> Perceptron:
        """Learns from the beginning and returns self.

        x: real, (n, features). y: labels 0 and 1, or -1 and 1, (n,) or (n, 1).
        Raises ValueError for other labels, NaN or infinite x, or shapes that do not fit.
        """
        samples = _table(x, None)
        sides = self._sides(y, len(samples))
        self.weights, self.bias, self.mistakes = np.zeros(samples.shape[1]), 0.0, []
        for _ in range(self.max_epochs):
            self.mistakes.append(self._epoch(samples, sides))
            if self.mistakes[-1] == 0:
                break
        self.converged = self.mistakes[-1] == 0
        return self

    def _epoch(self, samples: Array, sides: Array) -> int:
        """Corrects for every sample on the wrong side. Returns how many there were."""
        mistakes = 0
        for sample, side in zip(samples, sides, strict=True):
            if side * (sample @ self.weights + self.bias) <= 0:
                self.weights += self.learning_rate * side * sample
                self.bias += self.learning_rate * float(side)
                mistakes += 1
        return mistakes

    def decision_function(self, x: Any) -> Array:
        """The weighted sums: x . weights + bias. x: (n, features). Returns float64, (n,)."""
        return np.asarray(_table(x, len(self.weights)) @ self.weights + self.bias)

    def predict(self, x: Any) -> Array:
        """Labels of the kind fit() saw. x: (n, features). Returns (n,). Raises ValueError before fit()."""
        if not self.mistakes:
            raise ValueError("[Perceptron] expected a fitted perceptron; call fit() first")
        labels: Array = self._labels[(self.decision_function(x) > 0).astype(int)]
        return labels

    def _sides(self, y: Any, samples: int) -> Array:
        """Labels as -1.0 and 1.0; remembers which pair they are."""
        labels = np.asarray(y)
        if labels.shape not in ((samples,), (samples, 1)):
            raise ValueError(f"[Perceptron] expected labels of shape ({samples},), got {labels.shape}")
        labels = labels.reshape(samples)
        found = set(labels.tolist())
        if not (found <= {0, 1} or found <= {-1, 1}):
            raise ValueError(f"[Perceptron] expected labels 0 and 1, or -1 and 1, got {sorted(found)[:5]}")
        self._labels = np.array([-1, 1] if -1 in found else [0, 1])
        return np.where(labels == 1, 1.0, -1.0)


def _table(x: Any, features: int | None) -> Array:
    """x as float64, (n, features)."""
    table: Array = np.asarray(x, np.float64)
    if table.ndim != 2 or table.shape[0] == 0 or (features is not None and table.shape[1] != features):
        wanted = "(n, features) with n > 0" if features is None else f"(n, {features})"
        raise ValueError(f"[Perceptron] expected x of shape {wanted}, got {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("[Perceptron] expected finite x, got NaN or infinity")
    return table
