"""The data of the demo: hourly water flow through a pipeline branch, which ships inside the package river.

Measured from March to May 2022 in litres per second, donated by Tecnojest s.r.l. (river's ``WaterFlow``).
Read as plain CSV, because the load generator needs the numbers and not the two seconds that importing river takes.
"""

import csv
import math
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from barograph_cli.failure import USAGE, CommandError

WEEK_HOURS: Final = 168
TRAINING_HOURS: Final = 968


@dataclass(frozen=True, slots=True)
class Reading:
    """The flow of one hour in litres per second."""

    at: datetime
    flow_l_s: float


def read_flows() -> tuple[Reading, ...]:
    """Return the readings, an hour apart, oldest first.

    Raises:
        CommandError: river is not installed, or comes without the data.
    """
    spec = find_spec("river")
    folders = spec.submodule_search_locations if spec is not None else None
    path = Path(folders[0], "datasets", "water-flow.csv") if folders else None
    if path is None or not path.is_file():
        raise CommandError("the demo's data is missing: pip install 'barograph[demo]'", USAGE)
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        return tuple(Reading(datetime.fromisoformat(at), float(flow)) for at, flow in rows)


def live_hours(readings: tuple[Reading, ...]) -> range:
    """Return the hours that the model has not been trained on: the demo's requests ask for these."""
    return range(TRAINING_HOURS, len(readings))


def features_of(readings: tuple[Reading, ...], hour: int) -> dict[str, float]:
    """Return what is known just before ``hour``: recent flows, the flows a day and a week ago, and the calendar.

    Args:
        readings: All readings.
        hour: Index of the hour to forecast, at least ``WEEK_HOURS``.
    """
    at = readings[hour].at
    angle = at.hour * math.pi / 12
    return {
        "flow_1h_ago": readings[hour - 1].flow_l_s,
        "flow_2h_ago": readings[hour - 2].flow_l_s,
        "flow_day_ago": readings[hour - 24].flow_l_s,
        "flow_week_ago": readings[hour - WEEK_HOURS].flow_l_s,
        "hour_sin": math.sin(angle),
        "hour_cos": math.cos(angle),
        "is_weekend": float(at.weekday() >= 5),
    }
