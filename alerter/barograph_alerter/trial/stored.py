"""Recordings of what the query store still holds: the finest panes of each time."""

from collections.abc import Iterable, Sequence

from barograph_alerter.conditions.row import Look
from barograph_alerter.trial.recording import Recorded, Recording, Region
from barograph_core.steps import Step
from barograph_core.store.cover import ceil_to, floor_to
from barograph_core.store.pane_store import PaneStore, StoredPane


def read_recording(
    store: PaneStore, steps: Sequence[Step], service: str, from_ms: int, to_ms: int, looks: Iterable[Look]
) -> Recording:
    """Return what is stored of ``service``.

    Args:
        store: Of its shard.
        steps: Of the store, from the finest to the coarsest.
        service: Its name.
        from_ms: Beginning of the time that is judged.
        to_ms: Its end; what is not closed by then is left out.
        looks: Windows that rules look at: panes from before ``from_ms`` that they need are read too.

    Raises:
        StreamUnavailableError: The server is gone.
    """
    begin_ms = from_ms - max((look.reach_ms for look in looks), default=0)
    end_ms = min(to_ms, store.closed_through_ms(service) or 0)
    whole = store.whole_from_ms()
    panes: list[Recorded] = []
    regions: list[Region] = []
    # From the finest on: each holds the newest part, and the next what lies before it.
    for step in steps:
        first_ms = ceil_to(begin_ms, step.step_ms)
        found = store.read(service, step.step_ms, first_ms, end_ms) if end_ms > first_ms else []
        # Nothing is known from before the coarsest panes: it counts as empty.
        known_ms = first_ms if step is steps[-1] else _known_from_ms(found, whole[step.step_ms])
        since_ms = ceil_to(max(first_ms, known_ms), _next_step_ms(steps, step))
        if since_ms >= end_ms:
            continue
        panes += [_recorded(one, step.step_ms) for one in found if one.start_ms >= since_ms]
        if max(since_ms, from_ms) < end_ms:
            regions.append(
                Region(step.step_ms, ceil_to(max(since_ms, from_ms), step.step_ms), floor_to(end_ms, step.step_ms))
            )
        end_ms = since_ms
    return Recording(service, sorted(panes, key=lambda one: one.start_ms), sorted(regions, key=lambda one: one.from_ms))


def _known_from_ms(found: Sequence[StoredPane], whole_from_ms: int) -> int:
    """Return from where on the panes of a step are all there.

    An imported past lies before the time for which a store keeps panes, and is there all the same.
    """
    is_imported = bool(found) and found[-1].start_ms < whole_from_ms
    return found[0].start_ms if is_imported else whole_from_ms


def _next_step_ms(steps: Sequence[Step], step: Step) -> int:
    """Return the length of the next coarser pane, at whose beginning the finer ones may take over."""
    return next((one.step_ms for one in steps if one.step_ms > step.step_ms), step.step_ms)


def _recorded(stored: StoredPane, step_ms: int) -> Recorded:
    return Recorded(stored.start_ms, step_ms, stored.pane, stored.missing, stored.revision)
