import os
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def run_python():
    """Runs code in a fresh interpreter, for what is decided once in a process. Returns the finished process."""

    def run(code, timeout=60, **environment):
        return subprocess.run(
            [sys.executable, "-c", dedent(code)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **environment},
        )

    return run
