"""Which console is asked, and with which token."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.secrets import resolve_secret

CONSOLE_VARIABLE: Final = "BAROGRAPH_CONSOLE_URL"
TOKEN_VARIABLE: Final = "BAROGRAPH_CONSOLE_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE_VARIABLE: Final = "BAROGRAPH_CONSOLE_TOKEN_FILE"  # noqa: S105 - likewise
DEFAULT_CONSOLE: Final = "http://127.0.0.1:8642"


@dataclass(frozen=True, slots=True)
class Source:
    """The console that is asked.

    Attributes:
        url: Without a slash at its end.
        token: Empty for none.
    """

    url: str
    token: str = field(default="", repr=False)


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--console`` and ``--token-file``."""
    parser.add_argument("--console", metavar="URL", help=f"the console ({CONSOLE_VARIABLE}; default {DEFAULT_CONSOLE})")
    parser.add_argument("--token-file", metavar="FILE", help=f"file that holds the token ({TOKEN_FILE_VARIABLE})")


def source_environment(arguments: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that says what the flags say: a flag counts more than the variable of the same meaning."""
    found = dict(environ)
    if arguments.console is not None:
        found[CONSOLE_VARIABLE] = arguments.console
    if arguments.token_file is not None:
        found[TOKEN_FILE_VARIABLE] = arguments.token_file
        found.pop(TOKEN_VARIABLE, None)
    return found


def read_source(environ: Mapping[str, str]) -> Source:
    """Return what the environment says about the console.

    Raises:
        SettingsError: With every mistake.
    """
    problems: list[Problem] = []
    url = (environ.get(CONSOLE_VARIABLE) or DEFAULT_CONSOLE).rstrip("/")
    complaint = _complaint_about(url)
    if complaint:
        problems.append(Problem(f"--console, {CONSOLE_VARIABLE}", "url", complaint))
    token = environ.get(TOKEN_VARIABLE, "")
    name = environ.get(TOKEN_FILE_VARIABLE, "")
    if name and not token:
        try:
            token = resolve_secret(f"file:{name}", environ)
        except ValueError as error:
            problems.append(Problem(f"--token-file, {TOKEN_FILE_VARIABLE}", "token", str(error)))
    # Header values: anything else would break the request, and the error would quote it.
    if not (token.isascii() and token.isprintable()) or " " in token:
        where = TOKEN_VARIABLE if environ.get(TOKEN_VARIABLE) else f"--token-file, {TOKEN_FILE_VARIABLE}"
        problems.append(Problem(where, "token", "is not a token: it has spaces or other characters than ASCII"))
    if problems:
        raise SettingsError(problems)
    return Source(url, token)


def _complaint_about(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "is not a URL such as http://127.0.0.1:8642"
    if not is_address:
        return "is not a URL such as http://127.0.0.1:8642"
    if parts.username or parts.password or parts.query or parts.fragment:
        return f"holds more than an address; a token belongs into {TOKEN_VARIABLE} or a file"
    return ""
