"""Walks the routes for an alert: which channels get it, and from when on. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from barograph_notifier.routing.failing import through_others
from barograph_notifier.routing.route import Route, RoutedAlert
from barograph_notifier.routing.times import any_contains, first_inside, first_outside

Verdict = Literal["takes", "does not match", "not now", "not tried"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What one route says of an alert.

    Attributes:
        reason: Why it does not take the alert; empty if it does.
    """

    route: Route
    verdict: Verdict
    reason: str


class Routing:
    """The routes of a configuration, in the order in which they are tried.

    That is the order of the file, but a route that refines another is tried just before it, and those for what no other
    takes are tried last.

    Args:
        routes: The routes.
        channels: Names of all channels; those that routes name, unless given.

    Attributes:
        channels: Those names.
    """

    def __init__(self, routes: Iterable[Route], channels: Sequence[str] = ()) -> None:
        routes = tuple(routes)
        self.channels = tuple(channels) or tuple(dict.fromkeys(name for one in routes for name in one.channels))
        ordered = tuple(_with_refinements(routes, under=None))
        self.routes = (
            *(route for route in ordered if not route.is_otherwise),
            *(route for route in ordered if route.is_otherwise),
        )

        self._is_timeless = not any(route.active_chain or route.mute for route in self.routes)

    def channels_of(self, alert: RoutedAlert, at_ms: int) -> Mapping[str, int]:
        """Return the channels that get ``alert``, each with the moment, in ms, from which on it may be sent there.

        That is ``at_ms``, or the end of a time in which the route is muted. What no route takes now is routed as at the
        first moment at which one would: an alert of the night that still fires in the morning is told then. An alert
        that a channel fails is routed to the others (``failing.py``).

        Args:
            alert: A transition to firing, or what has its rule, service, severity and labels.
            at_ms: When the alert fired, so that every channel decides by the same moment.
        """
        return through_others(alert, self._chosen(alert, at_ms), self.channels, at_ms)

    def _chosen(self, alert: RoutedAlert, at_ms: int) -> Mapping[str, int]:
        """Return the channels that the routes choose, each with the moment from which on it may be sent there."""
        if self._is_timeless:
            return dict.fromkeys(self._channels_at_any_time(alert), at_ms)
        trials = self.trials(alert, at_ms)
        if not any(trial.verdict == "takes" for trial in trials):
            later = [
                moment
                for trial in trials
                if trial.verdict == "not now" and (moment := first_inside(trial.route.active_chain, at_ms)) is not None
            ]
            if not later:
                return {}
            at_ms = min(later)
            trials = self.trials(alert, at_ms)
        due: dict[str, int] = {}
        for trial in trials:
            free_ms = first_outside(trial.route.mute, at_ms) if trial.verdict == "takes" else None
            if free_ms is not None:
                due |= {channel: min(due.get(channel, free_ms), free_ms) for channel in trial.route.channels}
        return due

    def _channels_at_any_time(self, alert: RoutedAlert) -> Iterator[str]:
        """Yield what ``trials`` takes, of routes without times. Most have none, and every alert passes here."""
        taken_by: Route | None = None
        for route in self.routes:
            if taken_by and _is_settled(taken_by, route):
                continue
            if not route.why_not(alert):
                taken_by = route
                yield from route.channels

    def trials(self, alert: RoutedAlert, at_ms: int) -> list[Trial]:
        """Return what each route says of ``alert`` at that moment, in the order in which they are tried."""
        trials: list[Trial] = []
        taken_by: Route | None = None
        for route in self.routes:
            if taken_by and _is_settled(taken_by, route):
                trials.append(Trial(route, "not tried", f"route {taken_by.number} takes it"))
                continue
            trial = _try(route, alert, at_ms)
            taken_by = route if trial.verdict == "takes" else taken_by
            trials.append(trial)
        return trials


def _is_settled(taken_by: Route, route: Route) -> bool:
    """Say whether ``route`` is not tried any more once ``taken_by`` has taken the alert."""
    return not taken_by.continues or (route.is_otherwise and not taken_by.is_otherwise)


def _try(route: Route, alert: RoutedAlert, at_ms: int) -> Trial:
    reason = route.why_not(alert)
    if reason:
        return Trial(route, "does not match", reason)
    for several in route.active_chain:
        if any_contains(several, at_ms) is None:
            return Trial(route, "not now", f"is active only in {' or '.join(times.name for times in several)}")
    return Trial(route, "takes", "")


def _with_refinements(routes: Sequence[Route], under: Route | None) -> Iterator[Route]:
    for route in routes:
        if route.under is under:
            yield from _with_refinements(routes, route)
            yield route
