"""Loads the function library: the part of the protocol that runs on the server."""

import hashlib
from importlib import resources
from typing import Final, Literal

from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.stream import Connection, Reply, as_int, as_text

# Of the protocol: raised when a function takes or replies something else. What changes within it tells the build.
LIBRARY_VERSION: Final = 1
_BUILD_DIGITS: Final = 12

Outcome = Literal["loaded", "replaced", "current", "newer"]
_BY_NEED: Final[tuple[Outcome, ...]] = ("newer", "current", "replaced", "loaded")


def source() -> str:
    """Return the library's Lua text: the shared functions, then every other file in a scope of its own."""
    body = _body()
    facts = f"local LIBRARY_VERSION, LIBRARY_BUILD = {LIBRARY_VERSION}, '{_build_of(body)}'"
    return "\n".join(["#!lua name=barograph", facts, body])


def build() -> str:
    """Return what tells our library from others of its version: a hash of its text."""
    return _build_of(_body())


def _body() -> str:
    folder = resources.files("barograph_core") / "functions"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".lua")), key=lambda item: item.name)
    shared = next(item.read_text(encoding="utf-8") for item in files if item.name == "shared.lua")
    scopes = [f"do\n{item.read_text(encoding='utf-8')}\nend" for item in files if item.name != "shared.lua"]
    return "\n".join([shared, *scopes])


def _build_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:_BUILD_DIGITS]


def loaded_version(connection: Connection) -> int | None:
    """Return the version of the library on the server, ``None`` when there is none; in a Cluster, the oldest."""
    versions = [_version_on(master) for master in connection.masters()]
    known = [version for version in versions if version is not None]
    return min(known) if len(known) == len(versions) else None


def ensure_library(connection: Connection, *, is_running: bool = False) -> Outcome:
    """Load the library where it is missing or older than ours, never over a newer one.

    Two builds of one version take each other's calls, yet nobody can say which is the newer: the one whose process
    began last holds, because in an upgrade that is the new one. A process that runs must not put its own back.

    Functions are replicated, yet not from one master of a Cluster to another: each master is given them. One
    that is away does not keep the others waiting.

    Args:
        connection: To the server, or to a Cluster.
        is_running: Leaves another build of our version where it is. For who finds the library missing in mid-work.

    Returns:
        What happened to the master that needed most.

    Raises:
        StreamUnavailableError: A server is gone, or this user may not load functions (``refused``).
    """
    outcomes: list[Outcome] = []
    failures: list[BarographError] = []
    for master in connection.masters():
        try:
            outcomes.append(_ensure_on(master, is_running=is_running))
        except BarographError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return max(outcomes, key=_BY_NEED.index)


def _version_on(master: Connection) -> int | None:
    reply = _told(master, "baro_version_1")
    return None if reply is None else as_int(reply)


def _build_on(master: Connection) -> str | None:
    reply = _told(master, "baro_build_1")
    return None if reply is None else as_text(reply)


def _told(master: Connection, function: str) -> Reply:
    """Return what a function replies that takes nothing, ``None`` where it is not loaded."""
    try:
        return master.call(function, [], read_only=True)
    except StreamUnavailableError as error:
        if error.reason == "no_library":
            return None
        raise


def _ensure_on(master: Connection, *, is_running: bool) -> Outcome:
    version = _version_on(master)
    if version is not None and version > LIBRARY_VERSION:
        return "newer"
    if version == LIBRARY_VERSION and (is_running or _build_on(master) == build()):
        return "current"
    master.command("FUNCTION", "LOAD", "REPLACE", source())
    return "loaded" if version is None else "replaced"
