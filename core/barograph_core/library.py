"""Loads the function library: the part of the protocol that runs on the server."""

from importlib import resources
from typing import Final, Literal

from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.stream import Connection, as_int

# Raised with every change of a function, so that a newer worker replaces what an older one loaded.
LIBRARY_VERSION: Final = 1

Outcome = Literal["loaded", "replaced", "current", "newer"]
_BY_NEED: Final[tuple[Outcome, ...]] = ("newer", "current", "replaced", "loaded")


def source() -> str:
    """Return the library's Lua text: the shared functions, then every other file in a scope of its own."""
    folder = resources.files("barograph_core") / "functions"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".lua")), key=lambda item: item.name)
    shared = next(item.read_text(encoding="utf-8") for item in files if item.name == "shared.lua")
    scopes = [f"do\n{item.read_text(encoding='utf-8')}\nend" for item in files if item.name != "shared.lua"]
    return "\n".join(["#!lua name=barograph", f"local LIBRARY_VERSION = {LIBRARY_VERSION}", shared, *scopes])


def loaded_version(connection: Connection) -> int | None:
    """Return the version of the library on the server, ``None`` when there is none; in a Cluster, the oldest."""
    versions = [_version_on(master) for master in connection.masters()]
    known = [version for version in versions if version is not None]
    return min(known) if len(known) == len(versions) else None


def ensure_library(connection: Connection) -> Outcome:
    """Load the library where it is missing or older than ours, never over a newer one.

    Functions are replicated, yet not from one master of a Cluster to another: each master is given them. One
    that is away does not keep the others waiting.

    Returns:
        What happened to the master that needed most.

    Raises:
        StreamUnavailableError: A server is gone, or this user may not load functions (``refused``).
    """
    outcomes: list[Outcome] = []
    failures: list[BarographError] = []
    for master in connection.masters():
        try:
            outcomes.append(_ensure_on(master))
        except BarographError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return max(outcomes, key=_BY_NEED.index)


def _version_on(master: Connection) -> int | None:
    try:
        return as_int(master.call("baro_version_1", [], read_only=True))
    except StreamUnavailableError as error:
        if error.reason == "no_library":
            return None
        raise


def _ensure_on(master: Connection) -> Outcome:
    version = _version_on(master)
    if version is not None and version >= LIBRARY_VERSION:
        return "current" if version == LIBRARY_VERSION else "newer"
    master.command("FUNCTION", "LOAD", "REPLACE", source())
    return "loaded" if version is None else "replaced"
