"""Signals that ask a command to stop: it is unwound at once or, in training, at the next border between two chunks."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a request to end, and a terminal that is gone."""

Handler = Callable[[int, FrameType | None], None]


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop; the work is unwound as after Ctrl-C.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


class StopRequest:
    """Whether a signal has asked to stop."""

    def __init__(self) -> None:
        self.number: int | None = None

    def make(self, number: int, frame: FrameType | None) -> None:
        """Takes note of a signal; a second one like it ends the process at once."""
        signal.signal(number, signal.SIG_DFL)
        self.number = number
        # not through the display, which the signal may have interrupted
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), b"\nstopping at the next border between steps; once more stops at once\n")

    def obey(self) -> None:
        """Raises a `Stopped` if a signal has asked to stop."""
        if self.number is not None:
            raise Stopped(self.number)


@contextmanager
def signals_unwind() -> Iterator[None]:
    """Turns a signal into a `Stopped` at once; a second one like it ends the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Stopped(number)

    with _handled_by(stop):
        yield


@contextmanager
def signals_wait() -> Iterator[StopRequest]:
    """Lets a signal wait for whoever asks the request given; at the end it waits no longer.

    Yields:
        What the signals are noted in.
    """
    request = StopRequest()
    with _handled_by(request.make):
        yield request
    request.obey()


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # signals are the business of the main thread
        yield
        return
    before = {number: signal.getsignal(number) for number in WATCHED}
    # a signal that is ignored stays ignored: nohup asks for it
    watched = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in watched:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in watched.items():
            signal.signal(number, old)
