"""Secrets in settings: where they really stand, and how they are kept out of what is printed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HIDDEN: Final = "***"
_MAX_SECRET_BYTES: Final = 65_536
# Greedy up to the last @, for people forget to escape an @ inside a password.
_URL_PASSWORD: Final = re.compile(r"(?<=://)([^:/?#@]*):.*@", re.DOTALL)
_URL_PARAMETER: Final = re.compile(r"([?&][^=&#]*(?:password|secret|token|key)[^=&#]*=)[^&#]*", re.IGNORECASE)


def hide_password(text: str) -> str:
    """Return ``text`` with ``***`` for the password of a URL and for parameters named like a secret."""
    return _URL_PARAMETER.sub(rf"\1{HIDDEN}", _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text))


def resolve_secret(text: str, environ: Mapping[str, str]) -> str:
    """Return what ``text`` stands for: ``env:NAME``, ``file:path`` (without its last newline) or itself.

    Raises:
        ValueError: The variable is not set, or the file cannot be read. Names the reference, never a secret.
    """
    scheme, _, rest = text.partition(":")
    if scheme == "env":
        if not environ.get(rest):
            raise ValueError(f"the environment variable {rest!r} is not set")
        return environ[rest]
    if scheme == "file":
        return _read_secret_file(rest)
    return text


def _read_secret_file(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            data = file.read(_MAX_SECRET_BYTES + 1)
        secret = data.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"the file {name!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        # Not chained: that error holds the bytes, which are the secret.
        raise ValueError(f"the file {name!r} is not UTF-8 text") from None
    if not secret or len(data) > _MAX_SECRET_BYTES:
        raise ValueError(f"the file {name!r} is empty or larger than {_MAX_SECRET_BYTES} bytes")
    return secret
