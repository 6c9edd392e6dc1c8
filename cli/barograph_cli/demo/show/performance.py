"""Runs a demo: starts its processes in order, lets it run, counts, and stops them in the opposite order."""

import threading
from functools import partial
from typing import Final

from barograph_cli.demo.config import SERVICE
from barograph_cli.demo.place import Place
from barograph_cli.demo.processes import (
    LOADED_ROUTES,
    SERVICE_CHILD,
    RolloutSwitch,
    load_spec,
    read_answered,
    service_spec,
)
from barograph_cli.demo.receiver import WebhookReceiver
from barograph_cli.demo.show.alert_feed import AlertFeed
from barograph_cli.demo.show.numbers import ConsoleFigures
from barograph_cli.demo.show.run import DemoRun, Parts
from barograph_cli.demo.show.scene import Hint, Scene
from barograph_cli.demo.show.summary import RequestCount, Summary, summarise
from barograph_cli.demo.show.timeline import Timeline
from barograph_cli.demo.show.view import View
from barograph_cli.local.browser import open_page
from barograph_cli.local.server import StreamServer
from barograph_cli.local.stages import CONSOLE, Readiness, local_url, stage_specs
from barograph_cli.local.supervisor import Supervisor
from barograph_cli.options import open_connection
from barograph_core.clock import Clock
from barograph_core.settings.secrets import hide_password

# A pane closes half a second after its end.
_SETTLE_MS: Final = 5_000


class Performance:
    """One run on a server that is up."""

    def __init__(
        self, place: Place, server: StreamServer, receiver: WebhookReceiver, clock: Clock, stop: threading.Event
    ) -> None:
        self._place = place
        self._server = server
        self._receiver = receiver
        self._clock = clock
        self._stop = stop
        self._told: list[str] = []
        self._supervisor = Supervisor(clock, self._told.append, lambda _: None)
        self._service_url = local_url("127.0.0.1", place.service_port)
        self._console_url = local_url(place.console_host, place.console_port)
        self._figures = ConsoleFigures(self._console_url, SERVICE, clock)

    def run(self, view: View, duration_ms: int | None, *, is_opened: bool) -> Summary | None:
        """Run the demo and return what it came to; ``None`` when it was stopped before the load began.

        Args:
            view: Shows the run.
            duration_ms: Length of the run; ``None`` is one without end.
            is_opened: Open the console's page in a browser once the load has begun.

        Raises:
            CommandError: A process does not start.
        """
        connection = open_connection(self._server.settings.url, "barograph-demo")
        try:
            if not self._start():
                return None
            scene = Scene(started_ms=self._clock.now_ms(), hints=self._hints())
            feed = AlertFeed(connection, self._place.keys, scene.stories)
            with view:
                if is_opened:
                    open_page(self._place.page_url, lambda text: view.note(scene, text, self._clock.now_ms()))
                parts = Parts(
                    self._clock,
                    view,
                    RolloutSwitch(self._service_url),
                    self._figures,
                    feed,
                    partial(self._look_after, scene, view),
                )
                run = DemoRun(parts, scene, Timeline.of_duration(duration_ms), duration_ms)
                is_whole = run.run(self._stop)
                # The newest child is the load: it finishes the requests under way and writes its ledger.
                self._supervisor.stop_newest()
                requests = self._count(scene, is_whole=is_whole)
                run.read_changes()
                view.show(scene)
            return summarise(scene, requests, self._receiver.received)
        finally:
            self._supervisor.stop()
            connection.close()

    def _start(self) -> bool:
        """Start the stages, then the API, then the load; say whether the load began."""
        place, environ = self._place, self._server.environ(self._place.config)
        readiness = Readiness(self._supervisor, self._clock, self._stop)
        stages = self._supervisor.start(stage_specs(place.logs, environ, place.console_host, place.console_port))
        # The API takes longest, because of its model: it starts next to the stages.
        service = self._supervisor.start([service_spec(place.logs, environ, "127.0.0.1", place.service_port)])
        answers = {CONSOLE: f"{self._console_url}/livez", SERVICE_CHILD: f"{self._service_url}/health"}
        if not readiness.wait([*stages, *service], answers):
            return False
        self._supervisor.start([load_spec(place.logs, place.service_port, place.ledger)])
        return True

    def _look_after(self, scene: Scene, view: View) -> None:
        """Keep the server and the processes running, and show each repair."""
        self._server.revive(self._told.append)
        self._supervisor.check()
        while self._told:
            view.note(scene, self._told.pop(0), self._clock.now_ms())

    def _count(self, scene: Scene, *, is_whole: bool) -> RequestCount:
        """Return both counts of requests, once the last window has closed; Ctrl-C does not wait for that."""
        answered = read_answered(self._place.ledger)
        if not is_whole or answered is None:
            return RequestCount(answered)
        deadline_ms = self._clock.monotonic_ms() + _SETTLE_MS
        counted = None
        while not self._stop.is_set() and self._clock.monotonic_ms() < deadline_ms:
            counted = self._figures.count_requests(scene.started_ms, LOADED_ROUTES)
            if counted == answered:
                break
            self._stop.wait(0.2)
        return RequestCount(answered, counted)

    def _hints(self) -> list[Hint]:
        keys, url = self._place.keys, self._server.settings.url
        embedded = self._server.embedded
        cli = f"redis-cli -p {embedded.port}" if embedded is not None else f"redis-cli -u {hide_password(url)}"
        prefix = "" if embedded is not None else f" --prefix {self._place.settings.prefix}"
        return [
            Hint("the page", self._place.page_url),
            Hint("the monitored API", f"{self._service_url}/docs"),
            Hint("alerts", f"barograph tail alerts --follow --url {hide_password(url)}{prefix}"),
            Hint("", f"{cli} XRANGE '{keys.alerts}' - +"),
            Hint("events", f"{cli} FCALL_RO baro_peek_1 1 '{keys.events}' 3"),
            Hint("pipeline", f"barograph status --url {hide_password(url)}{prefix}"),
            Hint("rules and channel", str(self._place.config)),
        ]
