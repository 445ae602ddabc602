from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import activations
from fastnn.layers import Dense
from fastnn.models.sequential import Sequential


def collapse(model: Sequential) -> Dense:
    """The one linear layer that a stack of linear Dense layers is: x W1 W2 + b1 W2 + b2 = x W + b.

    Returns a built Dense of the same dtype. Raises ValueError if a layer is not a Dense without activation: only
    non-linear layers make depth worth anything.
    """
    kernel: Any = None
    bias: Any = None
    for layer in model.layers:
        if not isinstance(layer, Dense) or layer.activation is not activations.linear:
            raise ValueError(f"[collapse] expected Dense layers without activation, got {layer!r}")
        w = layer.kernel._value.astype(np.float64)
        b = np.zeros(layer.units) if layer.bias is None else np.broadcast_to(layer.bias._value, (layer.units,))
        kernel, bias = (w, b.astype(np.float64)) if kernel is None else (kernel @ w, bias @ w + b)
    if kernel is None:
        raise ValueError(f"[collapse] expected at least one Dense layer, got none in {model.name}")
    single = Dense(kernel.shape[1], dtype=model.layers[-1].dtype)
    single._build_once((None, kernel.shape[0]))
    single.set_weights([kernel, bias])
    return single
