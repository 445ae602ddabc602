import pytest

from fastnn import _core


@pytest.fixture(params=_core.supported_isas(), autouse=True)
def isa(request):
    """Every op test runs on every instruction set this machine has."""
    before = _core.active_isa()
    _core.set_active_isa(request.param)
    yield request.param
    _core.set_active_isa(before)
