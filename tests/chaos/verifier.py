"""Compares panes with ledgers, and deliveries with transitions. Knows nothing of barograph but the pane decoder.

Usage: verifier.py URL PREFIX SERVICE RECEIVED LEDGER...
Prints one JSON object and exits 0 when everything is equal to the event, 1 otherwise.
"""

import json
import math
import struct
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import redis

from barograph_core.panes.pane import Pane
from tests.chaos.ledger import read_records


def expected(ledgers: list[str]) -> dict[str, object]:
    """Return counts, exact sums, status counts and sketch bins by route, straight from the books."""
    durations: dict[str, list[float]] = defaultdict(list)
    status: Counter[str] = Counter()
    for ledger in ledgers:
        for route, code, duration_ms in read_records(Path(ledger)):
            durations[route].append(duration_ms)
            status[f"{route} {code}"] += 1
    by_route = sorted(durations.items())
    return {
        "counts": {route: len(values) for route, values in by_route},
        "sums": {route: math.fsum(values) for route, values in by_route},
        "status": dict(sorted(status.items())),
        "bins": {route: sorted(Counter(map(sketch_bin, values)).items()) for route, values in by_route},
    }


def sketch_bin(duration_ms: float) -> int:
    """Return the bin of a positive value: its exponent and the first 6 bits of its mantissa, counted from 2**-1074."""
    return int.from_bytes(struct.pack(">d", duration_ms * 2.0**52), "big") >> 46


def found(server: Any, prefix: str, service: str, step_ms: int) -> dict[str, object]:
    """Return the same from the closed panes of one step."""
    panes: list[Pane] = []
    for key in server.scan_iter(match=f"{prefix}:{{0}}:panes:{service}:{step_ms}:*", count=1_000):
        panes += [Pane.unpack(value) for name, value in server.hgetall(key).items() if name.isdigit()]
    counts: dict[str, int] = {}
    sums: dict[str, float] = {}
    status: dict[str, int] = {}
    bins: dict[str, list[tuple[int, int]]] = {}
    for row in Pane.merge(panes).group("request", by=("route",)):
        (route,) = row.labels
        durations = row.measures["duration_ms"]
        counts[route] = row.count
        sums[route] = durations.sum
        bins[route] = list(zip(durations.bins.tolist(), durations.bin_counts.tolist(), strict=True))
        status |= {f"{route} {code}": count for code, count in row.status.items()}
    return {"counts": counts, "sums": sums, "status": dict(sorted(status.items())), "bins": bins}


def deliveries(server: Any, prefix: str, received: Path) -> dict[str, object]:
    """Return how the notifications that arrived compare with the transitions that should notify."""
    entries = [fields for _, fields in server.xrange(f"{prefix}:{{0}}:alerts")]
    wanted = Counter(fields[b"transition"].decode() for fields in entries if fields[b"notify"] == b"1")
    attempts = [fields for _, fields in server.xrange(f"{prefix}:{{0}}:deliveries")]
    keys = {fields[b"transition"].decode(): fields[b"key"].decode() for fields in attempts}
    suppressed = {fields[b"transition"].decode() for fields in attempts if fields[b"result"] == b"suppressed"}
    lines = received.read_text().splitlines() if received.exists() else []
    arrived = Counter(json.loads(line)["key"] for line in lines)
    return {
        "transitions": len(entries),
        "firing": sum(fields[b"to"] == b"firing" for fields in entries),
        "resolved": sum(fields[b"to"] in (b"resolved", b"inactive") for fields in entries),
        "written_twice": sorted(key for key, count in wanted.items() if count > 1),
        "not_delivered": sorted(one for one in wanted if keys.get(one) not in arrived and one not in suppressed),
        "delivered_twice": sorted(key for key, count in arrived.items() if count > 1),
        "delivered": len(arrived),
    }


def main() -> int:
    url, prefix, service, received, *ledgers = sys.argv[1:]
    server: Any = redis.Redis.from_url(url)
    truth, report = expected(ledgers), deliveries(server, prefix, Path(received))
    is_exact = {step: found(server, prefix, service, step) == truth for step in (1_000, 10_000)}
    counted = found(server, prefix, service, 1_000)["counts"]
    report |= {
        "expected": truth["counts"],
        "found": counted,
        "exact_1s": is_exact[1_000],
        "exact_10s": is_exact[10_000],
    }
    is_right = all(is_exact.values()) and not any(
        report[name] for name in ("written_twice", "not_delivered", "delivered_twice")
    )
    print(json.dumps(report | {"is_right": is_right}))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
