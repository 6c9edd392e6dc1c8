"""Loads the function library, the part of the protocol that runs on the server."""

import hashlib
from importlib import resources
from typing import Final, Literal

from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.events.kinds import KINDS
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from barograph_core.server.replies import as_int, as_text

# Protocol version: raise it when a function's arguments or replies change. Other changes show in the build hash.
LIBRARY_VERSION: Final = 2
_BUILD_DIGITS: Final = 12

LoadResult = Literal["loaded", "replaced", "current", "newer"]
_BY_NEED: Final[tuple[LoadResult, ...]] = ("newer", "current", "replaced", "loaded")


def source() -> str:
    """Return the library's Lua text.

    It has the names of all measures, then the files named ``shared*.lua``, then every other file in a scope of its own.
    """
    body = _body()
    facts = f"local LIBRARY_VERSION, LIBRARY_BUILD = {LIBRARY_VERSION}, '{_build_of(body)}'"
    return "\n".join(["#!lua name=barograph", facts, body])


def build() -> str:
    """Return a hash of the library's text, which differs between libraries of one version."""
    return _build_of(_body())


def _body() -> str:
    folder = resources.files("barograph_core") / "functions"
    texts = {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir() if item.name.endswith(".lua")}
    names = sorted(texts, key=lambda name: (not name.startswith("shared"), name))  # "shared.lua" comes first
    parts = [texts[name] if name.startswith("shared") else f"do\n{texts[name]}\nend" for name in names]
    return "\n".join([_measures(), *parts])


def _measures() -> str:
    """Return the Lua table of the names of each kind's measures, in the order of the columns in a batch."""
    rows = list[str]()
    for kind in KINDS.values():
        names = ", ".join(f"'{name}'" for name in kind.measure_names)
        rows.append(f"{kind.name} = {{{names}}}")
    return f"local MEASURES = {{{', '.join(rows)}}}"


def _build_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:_BUILD_DIGITS]


def loaded_version(connection: Connection) -> int | None:
    """Return the version of the library on the server, ``None`` when there is none; in a Cluster, the oldest."""
    versions = [_version_on(master) for master in connection.masters()]
    known = [version for version in versions if version is not None]
    return min(known) if len(known) == len(versions) else None


def ensure_library(connection: Connection, *, is_running: bool = False) -> LoadResult:
    """Load the library where it is missing or older than ours, never over a newer one.

    Two builds of one version understand each other's calls, and neither is known to be the newer. The process that
    starts last loads its own build, because in an upgrade that is the new one. A running process must not reload its
    own.

    A server replicates functions to its replicas, but not to the other masters of a Cluster: load them on each
    master. When one master is unreachable, load them on the others before raising.

    Args:
        connection: To the server, or to a Cluster.
        is_running: Keep another build of our version. For a process that finds the library missing while it runs.

    Returns:
        The result for the master that needed the largest change.

    Raises:
        StreamUnavailableError: A server is unreachable, or this user may not load functions (``refused``).
    """
    outcomes: list[LoadResult] = []
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
    reply = _reply_of(master, "baro_version_1")
    return None if reply is None else as_int(reply)


def _build_on(master: Connection) -> str | None:
    reply = _reply_of(master, "baro_build_1")
    return None if reply is None else as_text(reply)


def _reply_of(master: Connection, function: str) -> Reply:
    """Return the reply of a function without arguments, ``None`` where it is not loaded."""
    try:
        return master.call(function, [], read_only=True)
    except StreamUnavailableError as error:
        if error.reason == "no_library":
            return None
        raise


def _ensure_on(master: Connection, *, is_running: bool) -> LoadResult:
    version = _version_on(master)
    if version is not None and version > LIBRARY_VERSION:
        return "newer"
    if version == LIBRARY_VERSION and (is_running or _build_on(master) == build()):
        return "current"
    master.command("FUNCTION", "LOAD", "REPLACE", source())
    return "loaded" if version is None else "replaced"
