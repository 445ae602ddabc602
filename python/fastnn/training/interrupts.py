"""Ctrl-C while training: the running step is ended, not torn."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class Interrupts:
    """While it is open, Ctrl-C during a step (`busy`) sets `asked`, and raises KeyboardInterrupt at any other time.

    A second Ctrl-C during a step raises at once. Handlers that a program has set itself are left alone, and so are
    threads other than the main one, which signals never reach.
    """

    def __init__(self) -> None:
        self.busy = self.asked = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        on_main = threading.current_thread() is threading.main_thread()
        if on_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _handle(self, number: int, frame: Any) -> None:
        if not self.busy or self.asked:
            self.asked = False
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """The end of a step."""
        self.busy = False
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt
