"""Memory that attention takes, forward and with its gradients, by the number of keys; and what its scores would take.

    python -m bench.attention_memory [bench/results/load/attention-memory.json]

One sequence of 8 heads of 64, as many queries as keys, causal, float32, one thread. Counted are outputs, gradients and
scratch memory: all blocks that the pool asks the system for, and the peak of everything else Python allocates.
"""

import json
import sys
import tracemalloc
from pathlib import Path

import numpy as np

import fastnn
from bench import record
from fastnn import backend, ops

KEYS = (64, 256, 1024, 4096)
HEADS, SIZE = 8, 64


def main() -> None:
    found = {str(keys): figures(keys) for keys in KEYS}
    for keys, one in found.items():
        print(f"{keys:>5} keys", *(f"{name} {size / 1e6:9.3f} MB" for name, size in one.items()))
    if len(sys.argv) > 1:
        content = {**record.provenance(sys.argv[1:], "bench.attention_memory"), "unit": "bytes", "cases": found}
        Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n")


def figures(keys: int) -> dict[str, int]:
    """Bytes: forward, with gradients, and of the scores that are never held."""
    x = np.random.default_rng(0).standard_normal((1, keys, HEADS, SIZE), dtype=np.float32)
    with fastnn.threads(1):
        return {
            "forward": taken(x, backward=False),
            "with_gradients": taken(x, backward=True),
            "scores": 4 * HEADS * keys**2,
        }


def taken(x: np.ndarray, backward: bool) -> int:
    backend.empty_cache()
    before = backend.memory_stats()["in_use_bytes"]
    tracemalloc.start()
    if backward:
        y, pullback = fastnn.vjp(lambda q, k, v: ops.dot_product_attention(q, k, v, is_causal=True), x, x, x)
        pullback(y)
    else:
        ops.dot_product_attention(x, x, x, is_causal=True)
    others = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    after = backend.memory_stats()
    return after["in_use_bytes"] + after["cached_bytes"] - before + others


if __name__ == "__main__":
    main()
