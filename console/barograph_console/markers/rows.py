"""A marker as the API shows it."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from barograph_core.markers.marker import RELEASE, Marker


@dataclass(frozen=True, slots=True)
class MarkerRow:
    """A moment that charts show as a line."""

    at_ms: int
    kind: Annotated[
        str, Field(description="release: a model version was first seen; else what somebody did, such as deploy")
    ]
    title: str
    key: Annotated[str, Field(description="identity: the same marker always has the same key")]
    url: Annotated[str, Field(description="where more of it stands; empty for nowhere")] = ""
    actor: Annotated[str, Field(description="who told it; empty for a release")] = ""


@dataclass(frozen=True, slots=True)
class Markers:
    """The markers of a service, the oldest first."""

    service: str
    markers: list[MarkerRow]


def told_row(marker: Marker) -> MarkerRow:
    """Return the row of a marker that somebody told."""
    return MarkerRow(marker.at_ms, marker.kind, marker.title, marker.key, marker.url, marker.actor)


def release_row(model: str, version: str, first_ms: int) -> MarkerRow:
    """Return the row of the first sight of a model's version."""
    return MarkerRow(first_ms, RELEASE, f"{model} {version}", f"{RELEASE}:{model}:{version}")
