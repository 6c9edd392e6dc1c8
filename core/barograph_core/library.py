"""Loads the function library: the part of the protocol that runs on the server."""

from importlib import resources
from typing import Final, Literal

from barograph_core.errors import StreamUnavailableError
from barograph_core.stream import Connection, as_int

# Raised with every change of a function, so that a newer worker replaces what an older one loaded.
LIBRARY_VERSION: Final = 1

Outcome = Literal["loaded", "replaced", "current", "newer"]


def source() -> str:
    """Return the library's Lua text: the shared functions, then every other file in a scope of its own."""
    folder = resources.files("barograph_core") / "functions"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".lua")), key=lambda item: item.name)
    shared = next(item.read_text(encoding="utf-8") for item in files if item.name == "shared.lua")
    scopes = [f"do\n{item.read_text(encoding='utf-8')}\nend" for item in files if item.name != "shared.lua"]
    return "\n".join(["#!lua name=barograph", f"local LIBRARY_VERSION = {LIBRARY_VERSION}", shared, *scopes])


def loaded_version(connection: Connection) -> int | None:
    """Return the version of the library on the server, or ``None`` when there is none."""
    try:
        return as_int(connection.call("baro_version_1", [], read_only=True))
    except StreamUnavailableError as error:
        if error.reason == "no_library":
            return None
        raise


def ensure_library(connection: Connection) -> Outcome:
    """Load the library when it is missing or older than ours, never over a newer one.

    Raises:
        StreamUnavailableError: The server is gone, or this user may not load functions (``refused``).
    """
    version = loaded_version(connection)
    if version is not None and version >= LIBRARY_VERSION:
        return "current" if version == LIBRARY_VERSION else "newer"
    connection.command("FUNCTION", "LOAD", "REPLACE", source())
    return "loaded" if version is None else "replaced"
