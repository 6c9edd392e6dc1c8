"""Keeps recurring messages from filling a disk: each cause once a minute, each message a bounded number of times."""

import logging
import threading
from dataclasses import dataclass, field
from typing import Final

_EVERY_S: Final = 60.0
# Limits of the lines of one message within that time. INFO is for changes of state, such as who signed in: only a flood
# of it is cut.
_MOST_WARNINGS: Final = 10
_MOST_INFOS: Final = 600
# Messages of other libraries may contain data. Past this many they share one limit.
_MOST_MESSAGES: Final = 1_000
_OTHERS: Final = "messages beyond the limit"
# The facts that tell one cause from another.
_CAUSES: Final = ("rule", "service", "channel", "tag", "shard", "stage", "path", "reason", "error")


@dataclass(slots=True)
class _Message:
    """One message within its minute.

    Attributes:
        began_s: Begin of the minute.
        causes: The causes that were logged in it.
        lines: Number of lines that were logged in it.
        left_out: Number of lines left out since the last one that was logged.
    """

    began_s: float
    causes: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])
    lines: int = 0
    left_out: int = 0


class RepeatFilter(logging.Filter):
    """Lets a warning of one cause through once a minute, and ten of one message. The next has the number left out.

    A rule that cannot be judged fails at every look: 50 services wrote 21 GB a day. One place for all loggers, because
    a limit at each place is forgotten at the next. Any thread may log.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._messages: dict[str, _Message] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        with self._lock:
            return self._lets_through(record)

    def _lets_through(self, record: logging.LogRecord) -> bool:
        name = f"{record.levelno} {record.msg}"
        if name not in self._messages and len(self._messages) >= _MOST_MESSAGES:
            name = _OTHERS
        message = self._messages.setdefault(name, _Message(record.created))
        # A wall clock that was set back begins a new minute too.
        if not 0 <= record.created - message.began_s < _EVERY_S:
            message.began_s, message.lines = record.created, 0
            message.causes.clear()
        if message.lines >= (_MOST_WARNINGS if record.levelno >= logging.WARNING else _MOST_INFOS):
            message.left_out += 1
            return False
        if record.levelno >= logging.WARNING:
            cause = _cause(record)
            if cause in message.causes:
                message.left_out += 1
                return False
            message.causes.add(cause)
        message.lines += 1
        if message.left_out:
            record.left_out = message.left_out
            message.left_out = 0
        return True


def _cause(record: logging.LogRecord) -> tuple[str, ...]:
    error = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
    facts = vars(record)
    return (error.__name__ if error else "", *(str(facts.get(name, "")) for name in _CAUSES))
