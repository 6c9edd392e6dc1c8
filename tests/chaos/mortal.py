"""Processes in virtual time that are killed, frozen and cut off between any two calls to the server."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import Entry, as_entries, as_list

R = TypeVar("R")
# Of each, per call: before it is made, or when it was made and the process does not know.
KILLED, CUT_OFF, FROZEN = 0.003, 0.003, 0.003
# How often others act between two calls, as processes of their own do.
OVERTAKEN = 0.05
LONGEST_ABSENCE_S = 150


class KilledError(BaseException):
    """The process is gone: nothing of it may run any more, no handler of exceptions either."""


class MortalConnection(Connection):
    """The connection of a process.

    Attributes:
        meet: Is asked before each call and after it.
        seen: Is told of each call that was made, by its first two arguments.
    """

    meet: Callable[[], None] | None = None
    seen: Callable[[Sequence[Value]], None] | None = None

    def command(self, *args: Value) -> Reply:
        return self._between(args[:2], lambda: super(MortalConnection, self).command(*args))

    def pipeline(self, commands: Sequence[Sequence[Value]]) -> list[Reply]:
        return self._between((), lambda: super(MortalConnection, self).pipeline(commands))

    def _between(self, names: Sequence[Value], call: Callable[[], R]) -> R:
        if self.meet is not None:
            self.meet()
        reply = call()
        if self.seen is not None:
            self.seen(names)
        if self.meet is not None:
            self.meet()
        return reply


class Handler(Protocol):
    """What a process does with entries, and by time."""

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None: ...

    def tick(self, now_ms: int) -> None: ...


@dataclass
class MortalWorker:
    """One process and its successors: who is killed is replaced after a while.

    Attributes:
        start: Makes the handler of a process with this name, on this connection.
        down_until_ms: Nobody is there before.
        is_acting: Whether it is in the middle of something: frozen while others go on.
    """

    stage: str
    stream: str
    group: str
    connect: Callable[[], MortalConnection]
    start: Callable[[str, Connection], Handler]
    now_ms: Callable[[], int]
    done: Counter[str]
    lives: int = 0
    down_until_ms: int = 0
    is_acting: bool = False
    _handler: Handler | None = None
    _connection: MortalConnection | None = None

    def work(self, meet: Callable[[], None], seen: Callable[[Sequence[Value]], None], rng: random.Random) -> None:
        """Make one pass, as far as fate lets it come."""
        if self.is_acting or self.now_ms() < self.down_until_ms:
            return
        self.is_acting = True
        try:
            self._pass(meet, seen)
        except KilledError:
            self.done[f"{self.stage} killed"] += 1
            self._handler = None
            self.down_until_ms = self.now_ms() + rng.randrange(LONGEST_ABSENCE_S * 1_000)
        except BarographError:
            # As the worker's loop: what was read is pending, and is claimed when it has been idle.
            self.done[f"{self.stage} passes broken off"] += 1
        finally:
            self.is_acting = False

    def _pass(self, meet: Callable[[], None], seen: Callable[[Sequence[Value]], None]) -> None:
        if self._handler is None or self._connection is None:
            self.lives += 1
            self._connection = self.connect()
            self._handler = self.start(self._name, self._connection)
        connection, handler = self._connection, self._handler
        connection.meet, connection.seen = meet, seen
        for entry in self._claimed(connection):
            self.done[f"{self.stage} claims"] += 1
            handler.handle([entry], is_redelivered=True)
        read = connection.command(
            *("XREADGROUP", "GROUP", self.group, self._name, "COUNT", 100, "STREAMS", self.stream, ">")
        )
        if read is not None:
            handler.handle(as_entries(as_list(as_list(read)[0])[1]), is_redelivered=False)
        handler.tick(self.now_ms())

    def _claimed(self, connection: Connection) -> list[Entry]:
        reply = as_list(
            connection.command("XAUTOCLAIM", self.stream, self.group, self._name, 2_000, "0-0", "COUNT", 100)
        )
        return as_entries(reply[1])

    @property
    def _name(self) -> str:
        return f"{self.stage}-{id(self)}-{self.lives}"


@dataclass
class Fate:
    """Decides what a process meets at a call.

    Attributes:
        freeze: Lets time pass for all others.
        overtake: Lets others act at once.
    """

    rng: random.Random
    done: Counter[str]
    freeze: Callable[[], None]
    overtake: Callable[[], None]
    is_over: bool = field(default=False)

    def meet(self) -> None:
        """Kill, cut off or freeze the process that calls, or most often do nothing.

        Raises:
            KilledError: It is killed.
            StreamUnavailableError: It is cut off from the server.
        """
        if self.is_over:
            return
        drawn = self.rng.random()
        if drawn < KILLED:
            raise KilledError
        if drawn < KILLED + CUT_OFF:
            self.done["calls cut off"] += 1
            raise StreamUnavailableError("timeout", "cut off")
        if drawn < KILLED + CUT_OFF + FROZEN:
            self.done["freezes"] += 1
            self.freeze()
        elif drawn < KILLED + CUT_OFF + FROZEN + OVERTAKEN:
            self.overtake()
