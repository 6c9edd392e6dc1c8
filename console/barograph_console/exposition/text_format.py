"""Samples as text: the format that Prometheus reads, and OpenMetrics."""

import math
from collections.abc import Iterable
from typing import Final, Literal

from barograph_core.pipeline.samples import Family, Sample

Format = Literal["text", "openmetrics"]
CONTENT_TYPES: Final[dict[Format, str]] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES: Final[dict[Format, dict[int, str]]] = {
    "text": str.maketrans({"\\": r"\\", "\n": r"\n"}),
    "openmetrics": _ESCAPES,
}
_COUNTED: Final = "_total"
_NOT_FINITE: Final = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


def wanted_format(accept: str) -> Format:
    """Return which format a scraper asks for; the older one unless it names OpenMetrics."""
    return "openmetrics" if "application/openmetrics-text" in accept else "text"


def expose(samples: Iterable[Sample], format_: Format = "text") -> str:
    """Return ``samples`` as text: families in the order in which they first come, each with its help and type."""
    by_family: dict[Family, list[Sample]] = {}
    for sample in samples:
        by_family.setdefault(sample.family, []).append(sample)
    lines: list[str] = []
    for family, members in by_family.items():
        # OpenMetrics names a counter without the suffix that its samples have.
        is_bare = format_ == "openmetrics" and family.kind == "counter"
        name = family.name.removesuffix(_COUNTED) if is_bare else family.name
        lines.append(f"# HELP {name} {family.meaning.translate(_HELP_ESCAPES[format_])}")
        lines.append(f"# TYPE {name} {family.kind}")
        lines += [_line(sample) for sample in members]
    if format_ == "openmetrics":
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in sample.labels.items())
    name = f"{sample.family.name}{sample.suffix}"
    return f"{name}{{{labels}}} {_number(sample.value)}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return _NOT_FINITE[repr(value)]
    return str(int(value)) if value == int(value) else repr(float(value))
