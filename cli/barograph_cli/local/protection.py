"""Who may use the embedded server: every user of the machine, or whoever knows a password in its owner's directory."""

import os
import secrets
from pathlib import Path
from typing import Final

from barograph_core.errors import BarographError
from barograph_core.server.connection import Connection

PASSWORD_FILE: Final = "server.password"  # noqa: S105 - the name of a file
ACL_FILE: Final = "server.acl"
HOST: Final = "127.0.0.1"
_USER: Final = "barograph"
_EVERYTHING: Final = ("~*", "&*", "+@all")
# What remains for those without the password: to ask whether the server is there.
_NOTHING: Final = ("resetkeys", "resetchannels", "-@all", "+ping")


def read_password(state_dir: Path) -> str:
    """Return the password of a state directory, which is made at the first call.

    Raises:
        OSError: The file cannot be read or made.
    """
    path = state_dir / PASSWORD_FILE
    if path.is_file() and (held := path.read_text(encoding="ascii").strip()):
        return held
    password = secrets.token_urlsafe(24)
    write_private(path, f"{password}\n")
    return password


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step by one that only its owner can read."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    temporary.replace(path)


def server_url(port: int, password: str) -> str:
    """Return the URL of the embedded server; ``password`` is empty where none is asked for."""
    who = f"{_USER}:{password}@" if password else ""
    return f"redis://{who}{HOST}:{port}/0"


def write_acl(state_dir: Path, password: str) -> Path:
    """Write the file by which a server asks for ``password`` from its first moment on, and return its path."""
    path = state_dir / ACL_FILE
    lines = (" ".join(("user", *map(str, rule))) for rule in _rules(password))
    write_private(path, "".join(f"{line}\n" for line in lines))
    return path


def protect(port: int, known: str, password: str) -> None:
    """Let a server that runs already ask for ``password``, or for none.

    Args:
        port: Where it listens.
        known: The password that it may ask for now.
        password: The one to ask for; empty for none.

    Raises:
        BarographError: It lets no one in who knows that password, and no one without one.
    """
    connection = _let_in(port, known)
    try:
        for rule in _rules(password):
            connection.command("ACL", "SETUSER", *rule)
    finally:
        connection.close()


def _rules(password: str) -> list[tuple[str, ...]]:
    """Return the users with what each may do; our own first, because the rule of all others may shut us out."""
    if not password:
        return [("default", "on", "nopass", *_EVERYTHING)]
    return [(_USER, "on", f">{password}", *_EVERYTHING), ("default", "on", "nopass", *_NOTHING)]


def _let_in(port: int, password: str) -> Connection:
    """Return a connection of a user who may do everything."""
    if password:
        connection = Connection.open(server_url(port, password))
        try:
            connection.command("ACL", "WHOAMI")
        except BarographError:
            connection.close()
        else:
            return connection
    return Connection.open(server_url(port, ""))
