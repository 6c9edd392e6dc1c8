"""The leases that the senders of one channel hold in this process, and the thread that prolongs them.

A lease is short, so that another notifier takes over soon after a death, and an attempt may take much longer.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from barograph_core.errors import BarographError

LEASE_MS: Final = 1_500
_EXTEND_EVERY_S: Final = 0.3


class Leases:
    """Names the groups that are in work here. Threads may share it.

    Attributes:
        token: The fencing token of all senders of the channel in this process.
        lease_ms: For how long a lease is taken and prolonged.
    """

    def __init__(self, lease_ms: int = LEASE_MS) -> None:
        self.lease_ms = lease_ms
        self.token = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._held = set[str]()

    def reserve(self, groups: Iterable[str], most: int) -> list[str]:
        """Return up to ``most`` of ``groups`` that no other sender here works on, and keep the others off them."""
        with self._lock:
            free = [group for group in dict.fromkeys(groups) if group not in self._held][:most]
            self._held.update(free)
        return free

    def release(self, groups: Iterable[str]) -> None:
        with self._lock:
            self._held.difference_update(groups)

    def held(self) -> list[str]:
        with self._lock:
            return list(self._held)


def keep_leases(leases: Leases, extend: Callable[[Sequence[str]], object], stop: threading.Event) -> None:
    """Call ``extend`` with the groups in work until ``stop`` is set and no attempt is under way any more.

    A lease that cannot be prolonged ends: another sender may then send under the same idempotency keys.
    """
    pause = threading.Event()
    while not stop.is_set() or leases.held():
        (pause if stop.is_set() else stop).wait(_EXTEND_EVERY_S)
        if held := leases.held():
            try:
                extend(held)
            except BarographError:
                # The senders log what is wrong with the server.
                continue
