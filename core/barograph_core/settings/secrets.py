"""Reads secrets from where settings refer to, and hides them in texts that are printed."""

import os
import re
import stat
from collections.abc import Mapping
from typing import Final

HIDDEN: Final = "***"
_MAX_SECRET_BYTES: Final = 65_536
# Greedy up to the last @, because people forget to escape an @ inside a password.
_URL_PASSWORD: Final = re.compile(r"(?<=://)([^:/?#@]*):.*@", re.DOTALL)
_URL_PARAMETER: Final = re.compile(r"([?&][^=&#]*(?:password|secret|token|key)[^=&#]*=)[^&#]*", re.IGNORECASE)


def hide_password(text: str) -> str:
    """Return ``text`` with ``***`` for the password of a URL and for parameters named like a secret."""
    return _URL_PARAMETER.sub(rf"\1{HIDDEN}", _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text))


def resolve_secret(text: str, environ: Mapping[str, str]) -> str:
    """Return the secret that ``env:NAME`` or ``file:path`` names (without its last newline); other text unchanged.

    Raises:
        ValueError: The variable is not set, or the file cannot be read. The message names the reference, not a secret.
    """
    scheme, _, rest = text.partition(":")
    if scheme == "env":
        if not environ.get(rest):
            raise ValueError(f"the environment variable {rest!r} is not set")
        return environ[rest]
    if scheme == "file":
        return _read_secret_file(rest)
    return text


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_secret_file(name: str) -> str:
    try:
        # Not blocking, and of regular files only: a pipe, a terminal or a device would hold up whoever reads it.
        with open(name, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"the file {name!r} is not a regular file")
            data = file.read(_MAX_SECRET_BYTES + 1)
        secret = data.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"the file {name!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        # Do not chain the error: it holds the bytes, which are the secret.
        raise ValueError(f"the file {name!r} is not UTF-8 text") from None
    if not secret or len(data) > _MAX_SECRET_BYTES:
        raise ValueError(f"the file {name!r} is empty or larger than {_MAX_SECRET_BYTES} bytes")
    return secret
