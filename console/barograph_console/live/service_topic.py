"""Follows one service: reads what was closed, and gives the messages about it. For the feed's thread."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from barograph_console.alerts.silence_rows import active_silences, rows_about
from barograph_console.alerts.view import active_rows
from barograph_console.health.pipeline_summary import PipelineSummary
from barograph_console.live.figures import ServiceFigures
from barograph_console.live.messages import Message, json_of, marker_message, members_of
from barograph_console.live.window import PART_MS, WINDOW_MS
from barograph_console.markers.reader import MarkerReader
from barograph_console.markers.rows import release_row
from barograph_console.overview.before import OFFSETS_MS
from barograph_console.reading.first_pane import FirstPanes
from barograph_console.reading.panes import Reading, begin_reading
from barograph_console.reading.windows import WindowReader
from barograph_console.rows.endpoints import p95_by_endpoint
from barograph_console.rules.bounds import system_limits
from barograph_console.store.ports import Ports
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.clock import Clock
from barograph_core.panes.pane import Pane
from barograph_core.store.cover import cover, floor_to
from barograph_core.store.figure_store import FigureRange
from barograph_core.store.pane_store import StoredPane

# Steps of the charts; those that are not stored are merged all the same.
_POINT_STEPS_MS: Final = (1_000, 10_000, 60_000, 3_600_000)
# Panes that were closed just before a topic is followed: an overview that was read then may lack them.
_REPEATED: Final = 5
# More panes at once than this are not sent one by one.
_MOST_PANES: Final = 30
_BEFORE_AGAIN_MS: Final = 60_000


class ServiceTopic:
    """The state of one service that somebody follows."""

    def __init__(
        self,
        service: str,
        ports: Ports,
        clock: Clock,
        markers: MarkerReader,
        first_panes: FirstPanes,
        apdex_t_ms: float,
    ) -> None:
        self.service = service
        self.is_loaded = False
        self.is_revised = False
        self.last_tick_ms = 0.0
        self._ports = ports
        self._clock = clock
        self._markers = markers
        self._first_panes = first_panes
        self._windows = WindowReader(ports.panes)
        self._apdex_t_ms = apdex_t_ms
        self._figures = ServiceFigures(1_000, (), apdex_t_ms)
        self._base_ms = 1_000
        self._before_ms = float("-inf")
        self._rules: PublishedRules | None = None
        self._has_rules = False

    @property
    def through_ms(self) -> int:
        return self._figures.through_ms

    def load(self, through_ms: int, now_ms: int) -> list[Message]:
        """Read the state as of ``through_ms``; return ticks of the panes closed last.

        Raises:
            BarographError: The server is away.
        """
        reading = begin_reading(self._ports.panes, self.service, through_ms, self._clock)
        self._base_ms = reading.steps[0].step_ms
        wanted = [step_ms for step_ms in _POINT_STEPS_MS if step_ms % self._base_ms == 0]
        from_ms = floor_to(through_ms - WINDOW_MS, PART_MS)
        panes = self._read(from_ms, through_ms)
        repeated_ms = max(from_ms, through_ms - _REPEATED * self._base_ms)
        figures = ServiceFigures(self._base_ms, wanted, self._apdex_t_ms)
        earlier = [(pane.start_ms, pane.pane) for pane in panes if pane.start_ms < repeated_ms]
        opened = {step_ms: self._open_point(reading, step_ms, repeated_ms) for step_ms in wanted}
        figures.load(earlier, opened, repeated_ms)
        figures.begun_ms = self._begun_ms(panes, reading)
        figures.versions = self._known_versions(reading, repeated_ms)
        self._figures, self.is_loaded, self.is_revised = figures, True, False
        return list(self._add(panes, repeated_ms, through_ms, now_ms))

    def advance(self, through_ms: int, now_ms: int) -> list[Message]:
        """Read the panes that were closed up to ``through_ms``; return a tick for each, the last with all figures.

        Raises:
            BarographError: The server is away.
        """
        if through_ms - self.through_ms > _MOST_PANES * self._base_ms:
            self.is_revised = True
            return self.load(through_ms, now_ms)
        from_ms = self.through_ms
        return list(self._add(self._read(from_ms, through_ms), from_ms, through_ms, now_ms))

    def tick(self, now_ms: int, summary: PipelineSummary | None, *, with_figures: bool) -> Message:
        """Return a tick: with the figures when a pane was closed, else as a sign of life."""
        document = self._head(now_ms, summary)
        if with_figures:
            self._bring_up_to_date(now_ms)
            document |= {"points": self._figures.points(), **self._figures.figures()}
        return Message("tick", members_of(document))

    def _head(self, now_ms: int, summary: PipelineSummary | None) -> dict[str, object]:
        head: dict[str, object] = {"at_ms": now_ms, "closed_through_ms": self.through_ms}
        return head if summary is None else {**head, "missing": summary.producers.missing, "pipeline": summary}

    def snapshot(self, now_ms: int, summary: PipelineSummary | None) -> str:
        """Return the whole state as JSON.

        Raises:
            BarographError: The server is away.
        """
        self._bring_up_to_date(now_ms)
        rules, silences = self._ports.rules.read(), self._ports.silences.all()
        records = self._ports.alerts.records([self.service])
        reading = begin_reading(self._ports.panes, self.service, self.through_ms, self._clock)
        return json_of(
            {
                **self._head(now_ms, summary),
                **self._figures.figures(),
                "points": self._figures.points(),
                "alerts": active_rows(records, rules, active_silences(silences, now_ms)),
                "silences": rows_about(silences, self.service, now_ms),
                "markers": self._markers.read(reading),
            }
        )

    def _add(self, panes: Iterable[StoredPane], from_ms: int, through_ms: int, now_ms: int) -> Iterator[Message]:
        """Take in the panes of a range, absent ones as empty; all but the last give a tick with their points."""
        by_start = {pane.start_ms: pane for pane in panes}
        for start_ms in range(from_ms, through_ms, self._base_ms):
            stored = by_start.get(start_ms)
            pane, missing = (Pane.EMPTY, 0) if stored is None else (stored.pane, stored.missing)
            self._figures.add(start_ms, pane, missing)
            for model, version in self._figures.new_versions(pane):
                yield marker_message(release_row(model, version, start_ms), now_ms)
            if self.through_ms < through_ms:
                document = {"at_ms": now_ms, "closed_through_ms": self.through_ms, "points": self._figures.points()}
                yield Message("tick", members_of(document))

    def _read(self, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
        return self._ports.panes.read(self.service, self._base_ms, from_ms, to_ms)

    def _begun_ms(self, panes: Iterable[StoredPane], reading: Reading) -> int:
        """Return when the service was first seen, or the start of the newest minute when that was earlier."""
        first_ms = next((stored.start_ms for stored in panes if not stored.pane.is_empty), None)
        return reading.closed_ms - self._first_panes.covered_ms(reading, window_ms=WINDOW_MS, first_in_ms=first_ms)

    def _open_point(self, reading: Reading, step_ms: int, through_ms: int) -> Pane:
        """Return all panes of the point of ``step_ms`` that the newest closed pane belongs to."""
        from_ms, steps = floor_to(through_ms - 1, step_ms), reading.steps
        finer = [step for step in steps if step.step_ms < step_ms and step_ms % step.step_ms == 0] or [steps[0]]
        panes: list[Pane] = []
        runs = cover(
            finer,
            from_ms,
            through_ms,
            closed_through_ms=through_ms,
            spare=1,
            pending=reading.pending,
            now_ms=reading.now_ms,
        )
        for run in runs:
            found = self._ports.panes.read(self.service, run.step_ms, run.from_ms, run.to_ms)
            panes += [stored.pane for stored in found]
        return Pane.merge(panes)

    def _known_versions(self, reading: Reading, through_ms: int) -> set[tuple[str, str]]:
        """Return model and version of everything on record, so that only what is new makes a marker."""
        coarsest = reading.steps[-1]
        from_ms = max(0, floor_to(reading.now_ms - coarsest.keep_ms, coarsest.step_ms))
        to_ms = floor_to(through_ms, coarsest.step_ms) + coarsest.step_ms
        known = {(labels[0], labels[1]) for labels in self._newest_versions(reading, through_ms)}
        if from_ms < to_ms:
            where = FigureRange(self.service, coarsest, from_ms, to_ms)
            known |= {(labels[0], labels[1]) for labels in self._ports.panes.series(where, "model")}
        return known

    def _newest_versions(self, reading: Reading, through_ms: int) -> Sequence[tuple[str, ...]]:
        """Return the labels of models in what has no figures at the coarsest step yet."""
        return self._open_point(reading, reading.steps[-1].step_ms, through_ms).labels("model")

    def _bring_up_to_date(self, now_ms: int) -> None:
        """Read what figures are shown next to: the rules' limits, and what was before."""
        rules = self._ports.rules.read()
        self._figures.limits = {} if rules is None else system_limits(rules.watching(self.service))
        if self._has_rules and _digest(rules) != _digest(self._rules):
            # Thresholds and the number of rules stand only in an overview: pages read it again.
            self.is_revised = True
        self._rules, self._has_rules = rules, True
        self._compare(now_ms)

    def _compare(self, now_ms: int) -> None:
        """Read once a minute what the p95 of each endpoint was a day, or an hour, before."""
        if now_ms - self._before_ms < _BEFORE_AGAIN_MS:
            return
        self._before_ms = now_ms
        reading = begin_reading(self._ports.panes, self.service, self.through_ms, self._clock)
        for offset_ms in OFFSETS_MS["auto"]:
            pane = self._windows.minute_before(reading, offset_ms=offset_ms)
            if pane.requests:
                self._figures.before_p95_ms = p95_by_endpoint(pane)
                return


def _digest(rules: PublishedRules | None) -> str:
    return "" if rules is None else rules.digest
