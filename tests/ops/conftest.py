import os

import pytest

from fastnn import _core

#: All of this machine, unless FASTNN_TEST_ISAS names some: under a sanitizer, say, where tests take five times as long.
ISAS = [isa for isa in _core.supported_isas() if isa in os.environ.get("FASTNN_TEST_ISAS", isa).split(",")]


@pytest.fixture(params=ISAS, autouse=True)
def isa(request):
    """Every op test runs on every instruction set this machine has."""
    before = _core.active_isa()
    _core.set_active_isa(request.param)
    yield request.param
    _core.set_active_isa(before)
