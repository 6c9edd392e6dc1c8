"""``/metrics``: the pipeline's own figures in the text format, version 0.0.4, that Prometheus reads."""

from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from barograph_console.ports import Ports
from barograph_core.pipeline_samples import Family, Sample, samples

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


def expose(samples: Iterable[Sample]) -> str:
    """Return ``samples`` as text: families in the order in which they first come, each with its help and type."""
    by_family: dict[Family, list[Sample]] = {}
    for sample in samples:
        by_family.setdefault(sample.family, []).append(sample)
    lines: list[str] = []
    for family, members in by_family.items():
        lines.append(f"# HELP {family.name} {family.meaning.translate(_HELP_ESCAPES)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [_line(sample) for sample in members]
    return "".join(f"{line}\n" for line in lines)


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in sample.labels.items())
    name = f"{sample.family.name}{sample.suffix}"
    return f"{name}{{{labels}}} {_number(sample.value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


class ExpositionRoutes:
    """Serves the figures of all shards. What they mean stands beside them, in the answer itself."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.router = APIRouter(tags=["health"])
        self.router.add_api_route(
            "/metrics",
            self.metrics,
            response_class=Response,
            responses={200: {"content": {CONTENT_TYPE: {}}}},
            summary="The pipeline's own figures for Prometheus",
        )

    def metrics(self) -> Response:
        found = [sample for status in self._ports.pipeline.read() for sample in samples(status)]
        return Response(expose(found), headers={"Content-Type": CONTENT_TYPE})
