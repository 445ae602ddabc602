"""What this installation of fastnn is and what it runs on."""

from __future__ import annotations

import os
import platform
from importlib.util import find_spec

import numpy as np

from fastnn import backend

#: Optional packages and what they are for.
_OPTIONAL = {"sklearn": "demo", "matplotlib": "demo"}


def describe() -> dict[str, str]:
    """Facts by name, in the order in which `fastnn info` prints them."""
    build = backend.build_info()
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = ", ".join(f"{name} {'present' if find_spec(name) else 'absent'}" for name in _OPTIONAL)
    return {
        "fastnn": backend.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": build["compiler"],
        "cpu": _cpu(),
        "instruction sets": f"{', '.join(build['supported_isas'])}; in use: {build['active_isa']}",
        "threads": (
            f"{backend.get_num_threads()} in use; {affinity} processors by affinity, "
            f"{build['available_threads']} within the container's quota; work is shared by {build['threading']}"
        ),
        "memory pool": f"keeps at most {build['pool_limit'] // 2**20} MiB",
        "optional": parts,
    }


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
