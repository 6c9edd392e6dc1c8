"""Keeps the state of one service: reads its overview, follows its live messages, and comes back by itself."""

import contextlib
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError
from barograph_cli.rest.fields import Fields
from barograph_cli.top.state import ServiceState
from barograph_core.clock import Clock

Phase = Literal["connecting", "live", "reconnecting"]
_OPEN_S: Final = 5.0
# The console sends a tick each second. One that is silent for this long is gone.
_LOST_S: Final = 10.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0
_MOST_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to draw.

    Attributes:
        state: ``None`` while nothing is known.
        problem: What went wrong last, with its mend; empty while all is well.
        ahead_ms: How much the console's clock is ahead of this machine's.
    """

    phase: Phase
    services: Sequence[str]
    service: str
    state: ServiceState | None
    problem: str
    ahead_ms: int


class Feed:
    """Follows one service in a thread of its own. Use ``looking()`` around every use of what ``look`` returns."""

    def __init__(self, client: ConsoleClient, clock: Clock, service: str, time_range: str) -> None:
        """Connect to nothing yet.

        Args:
            client: The console.
            clock: Of this machine.
            service: The first to follow; the console's first when empty.
            time_range: What the sparklines span, as the REST API takes it.
        """
        self._client = client
        self._clock = clock
        self._range = time_range
        self._service = service
        self._services: list[str] = []
        self._state: ServiceState | None = None
        self._phase: Phase = "connecting"
        self._problem = ""
        self._ahead_ms = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._known = threading.Event()
        self._socket: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name="barograph-top", daemon=True)

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread; a request under way is not waited for."""
        self._stopped.set()
        self._interrupt()

    def wait(self, bound_s: float) -> Look:
        """Return what is known as soon as it is something, or that something went wrong; after ``bound_s`` anyway."""
        self._known.wait(bound_s)
        with self._lock:
            return self.look()

    def looking(self) -> threading.Lock:
        """Return the lock under which the state does not change."""
        return self._lock

    def look(self) -> Look:
        return Look(self._phase, self._services, self._service, self._state, self._problem, self._ahead_ms)

    def step_service(self, by: int) -> None:
        """Follow the service that stands so many places further in the console's list."""
        with self._lock:
            if len(self._services) < 2:
                return
            at = self._services.index(self._service) if self._service in self._services else 0
            self._service = self._services[(at + by) % len(self._services)]
            self._state, self._phase = None, "connecting"
        self._interrupt()

    def _interrupt(self) -> None:
        self._woken.set()
        socket = self._socket
        if socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(2)

    def _run(self) -> None:
        tries = 0
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self._read_overview()
                self._follow()
                tries = 0
            except ConsoleError as error:
                self._wait(tries, f"{error.sentence} {error.mend}")
                tries += 1
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                if self._woken.is_set():
                    continue
                self._wait(tries, f"The live connection ended: {_reason(error)}.")
                tries += 1

    def _wait(self, tries: int, problem: str) -> None:
        """Wait a random part of a span that doubles with each try."""
        with self._lock:
            self._problem = problem
            self._phase = "connecting" if self._state is None else "reconnecting"
        self._known.set()
        self._woken.wait(random.uniform(0.1, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(tries, 8))))  # noqa: S311 - spreads load

    def _read_overview(self) -> None:
        """Read the services and the whole state of one.

        Raises:
            ConsoleError: The console does not answer, or has no service.
        """
        rows = self._client.get("/services").rows("services")
        names = [row.text("service") for row in rows if not row.values.get("is_internal")]
        service = self._service or next(iter(names), "")
        if not service:
            raise ConsoleError("No service has sent anything yet.", "Embed the producer, or run `barograph demo`.")
        overview = self._client.get("/overview", [("service", service), ("range", self._range)])
        state = ServiceState.of(overview)
        with self._lock:
            self._services = names
            if self._service in ("", service):
                self._service, self._state = service, state
                self._ahead_ms = overview.count("at_ms") - self._clock.now_ms()
        self._known.set()

    def _follow(self) -> None:
        """Take in live messages until one is missing, the connection ends, or another service is wanted.

        Raises:
            ConsoleError: A message has another form.
            OSError, InvalidHandshake, ConnectionClosed: There is no connection any more.
        """
        state = self._state
        if state is None or self._woken.is_set():
            return
        url = f"ws{self._client.url.removeprefix('http')}/api/v1/live"
        with connect(
            url,
            additional_headers=self._client.authorization,
            compression=None,
            open_timeout=_OPEN_S,
            close_timeout=1.0,
            max_size=_MOST_BYTES,
            proxy=None,
        ) as socket:
            self._socket = socket
            resume = {"epoch": state.epoch, "seq": state.seq}
            socket.send(json.dumps({"type": "subscribe", "service": state.service, "resume": resume}))
            while not self._woken.is_set():
                message = Fields.of(json.loads(socket.recv(_LOST_S)))
                if message is None or message.text("type") == "bye":
                    return
                if not self._take(state, message):
                    return

    def _take(self, state: ServiceState, message: Fields) -> bool:
        """Fold a message in; return whether those after it continue the state."""
        with self._lock:
            if self._state is not state:
                return False
            if message.text("type") == "hello":
                return message.text("epoch") == state.epoch
            outcome = state.fold(message)
            self._phase, self._problem = "live", ""
            at_ms = message.values.get("at_ms")
            if isinstance(at_ms, int):
                self._ahead_ms = at_ms - self._clock.now_ms()
            return outcome != "gap"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the console is silent"
    return str(error).rstrip(".") or type(error).__name__
