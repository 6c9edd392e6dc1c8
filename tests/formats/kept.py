"""What earlier versions wrote, as ``tests.formats.write`` kept it."""

import json
from pathlib import Path
from typing import Final, cast

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from tests.batches import Entry
from tests.formats.write import Plain

FOLDER: Final = Path(__file__).parent
VERSIONS: Final = sorted(path.name for path in FOLDER.iterdir() if (path / "keys.json").exists())


def kept_entries(version: str) -> list[Entry]:
    """Return the entries of the events stream: of requests, models, the system and custom events."""
    found = cast("list[Plain]", json.loads((FOLDER / version / "batches.json").read_text()))
    return [{name.encode(): bytes.fromhex(value) for name, value in entry.items()} for entry in found]


def restore_keys(version: str, connection: Connection) -> ShardKeys:
    """Write the kept keys to ``connection``, without their expiry, and return them."""
    found = cast("dict[str, tuple[str, object]]", json.loads((FOLDER / version / "keys.json").read_text()))
    for name, (kind, content) in found.items():
        for command in _commands(name, kind, content):
            connection.command(*command)
    return ShardKeys("baro", "0")


def _commands(name: str, kind: str, content: object) -> list[list[Value]]:
    if kind == "stream":
        entries = cast("list[tuple[str, list[str]]]", content)
        return [["XADD", name, bytes.fromhex(entry_id), *map(bytes.fromhex, fields)] for entry_id, fields in entries]
    if kind == "string":
        return [["SET", name, bytes.fromhex(cast("str", content))]]
    items = [bytes.fromhex(item) for item in cast("list[str]", content)]
    if kind == "zset":
        return [["ZADD", name, *(item for pair in zip(items[1::2], items[::2], strict=True) for item in pair)]]
    return [["HSET" if kind == "hash" else "RPUSH", name, *items]]
