"""The consumers next to ours in ``throughput.py``: one event an entry, the same windowed work, acknowledged."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import redis

GROUP = "bench"
COUNT = 500


class Windows:
    """Count, errors, sum, minimum, maximum and a histogram for each series and second, one event at a time."""

    def __init__(self) -> None:
        self.windows: dict[tuple[str, int], list[float]] = {}
        self.bins: dict[tuple[str, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, route: str, at_ms: int, status: int, duration_ms: float) -> None:
        key = (route, at_ms // 1_000)
        window = self.windows.get(key)
        if window is None:
            window = self.windows[key] = [0, 0, 0.0, duration_ms, duration_ms]
        window[0] += 1
        window[1] += status >= 500
        window[2] += duration_ms
        window[3], window[4] = min(window[3], duration_ms), max(window[4], duration_ms)
        self.bins[key][int(duration_ms * 8)] += 1


def fill_peer(url: str, stream: str, events: int, series: int, *, is_faststream: bool) -> None:
    """Write ``events`` entries of one event each, as plain fields or as FastStream publishes a mapping."""
    rng, client = random.Random(1), redis.Redis.from_url(url)
    now = time.time_ns() // 1_000_000
    pipe = client.pipeline(transaction=False)
    for number in range(events):
        event: dict[Any, Any] = {
            "route": f"/route/{int(rng.random() * series)}",
            "method": "GET",
            "status": 500 if rng.random() < 0.05 else 200,
            "at_ms": now + number // 500,
            "duration_ms": rng.lognormvariate(3, 1),
        }
        pipe.xadd(stream, {"__data__": _published(event)} if is_faststream else event)
        if number % 1_000 == 999:
            pipe.execute()
    pipe.execute()
    client.xgroup_create(stream, GROUP, "0")


def _published(event: dict[Any, Any]) -> bytes:
    from faststream.redis.parser import BinaryMessageFormatV1

    packing = BinaryMessageFormatV1.encode(message=event, reply_to=None, headers=None, correlation_id="1")
    try:
        packing.send(None)
    except StopIteration as done:
        packed: bytes = done.value
        return packed
    raise RuntimeError("FastStream waited while it encoded")


def _add_fields(windows: Windows, fields: dict[bytes, bytes]) -> None:
    windows.add(fields[b"route"].decode(), int(fields[b"at_ms"]), int(fields[b"status"]), float(fields[b"duration_ms"]))


def redis_loop(url: str, stream: str, events: int, *, is_pipelined: bool) -> None:
    client, windows = redis.Redis.from_url(url, protocol=2), Windows()
    while events:
        reply: Any = client.xreadgroup(GROUP, "bench", {stream: ">"}, count=COUNT)
        entries = reply[0][1]
        for entry_id, fields in entries:
            _add_fields(windows, fields)
            if not is_pipelined:
                client.xack(stream, GROUP, entry_id)
        if is_pipelined:
            client.xack(stream, GROUP, *(entry_id for entry_id, _ in entries))
        events -= len(entries)


def walrus_loop(url: str, stream: str, events: int) -> None:
    import walrus

    group = walrus.Database.from_url(url).consumer_group(GROUP, [stream], consumer="bench")
    container, windows = group.streams[stream], Windows()
    while events:
        entries = container.read(count=COUNT)
        for _, fields in entries:
            _add_fields(windows, fields)
        container.ack(*(entry_id for entry_id, _ in entries))
        events -= len(entries)


def faststream_loop(url: str, stream: str, events: int, *, is_batch: bool) -> None:
    asyncio.run(_faststream(url, stream, events, is_batch=is_batch))


async def _faststream(url: str, stream: str, events: int, *, is_batch: bool) -> None:
    from faststream.redis import RedisBroker, StreamSub

    broker, windows, done = RedisBroker(url, logger=None), Windows(), asyncio.Event()
    left = events
    source = StreamSub(stream, group=GROUP, consumer="bench", batch=is_batch, max_records=COUNT)

    def add(event: dict[str, Any]) -> None:
        windows.add(event["route"], event["at_ms"], event["status"], event["duration_ms"])

    def took(count: int) -> None:
        nonlocal left
        left -= count
        if not left:
            done.set()

    if is_batch:

        @broker.subscriber(stream=source)
        async def on_batch(events: list[dict[str, Any]]) -> None:
            for event in events:
                add(event)
            took(len(events))

    else:

        @broker.subscriber(stream=source)
        async def on_event(event: dict[str, Any]) -> None:
            add(event)
            took(1)

    await broker.start()
    await done.wait()
    await broker.stop()


def installed_peers() -> dict[str, Callable[[str, str, int], None]]:
    """Return the peers that are installed."""
    peers: dict[str, Callable[[str, str, int], None]] = {
        "redis-py, XACK by 500": lambda url, stream, events: redis_loop(url, stream, events, is_pipelined=True),
        "redis-py, XACK one by one": lambda url, stream, events: redis_loop(url, stream, events, is_pipelined=False),
    }
    try:
        import walrus  # noqa: F401

        peers["walrus, ack by 500"] = walrus_loop
    except ImportError:
        print("walrus is not installed: skipped")
    try:
        import faststream.redis  # noqa: F401

        peers["FastStream, batch of 500"] = lambda url, stream, events: faststream_loop(
            url, stream, events, is_batch=True
        )
        peers["FastStream, one by one"] = lambda url, stream, events: faststream_loop(
            url, stream, events, is_batch=False
        )
    except ImportError:
        print("faststream is not installed: skipped")
    return peers
