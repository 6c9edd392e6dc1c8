"""Wakes one of several senders that wait for work."""

import threading


class WakeUp:
    """An event for several waiting threads: each setting wakes one of them."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._is_set = False

    def set(self) -> None:
        """Wake a waiting thread, or let the next one that waits go on at once."""
        with self._condition:
            self._is_set = True
            self._condition.notify()

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout_s: float) -> None:
        """Wait until ``set`` was called since the last wait of any thread, or for ``timeout_s``."""
        with self._condition:
            if not self._is_set:
                self._condition.wait(timeout_s)
            self._is_set = False
