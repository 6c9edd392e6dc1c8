"""Finds and reads the configuration file, and knows the line of each key."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.toml_lines import KeyPath, locate_keys

DEFAULT_CONFIG: Final = "barograph.toml"
CONFIG_VARIABLE: Final = "BAROGRAPH_CONFIG"
# Bounds what is read of a device that has no end.
_MAX_BYTES: Final = 4_000_000
SECTIONS: Final = ("server", "aggregator", "alerter", "notifier", "console")
ENTRIES: Final = ("rule", "slo", "channel", "route", "times", "inhibit", "escalation", "heartbeat")
_LONG_NUMBER: Final = re.compile(r"[0-9][0-9_]{4000,}")
_SYNTAX_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A parsed ``barograph.toml``; empty when there is no file.

    Attributes:
        path: The file, ``None`` when there is none.
        data: Its tables and keys, as ``tomllib`` returns them.
        lines: The line of each key, see ``locate_keys``.
    """

    path: Path | None = None
    data: Mapping[str, object] = field(default_factory=dict[str, object])
    lines: Mapping[KeyPath, int] = field(default_factory=dict[KeyPath, int], repr=False)

    def where(self, *key: str | int) -> str:
        """Return ``barograph.toml:12`` for a key (``"rule", 0, "when"``) or its nearest known parent."""
        if self.path is None:
            return "no configuration file"
        for length in range(len(key), 0, -1):
            line = self.lines.get(key[:length])
            if line is not None:
                return f"{self.path}:{line}"
        return str(self.path)

    def table(self, name: str) -> Mapping[str, object]:
        """Return the table ``[name]``; empty when there is none (``check_sections`` reports other shapes)."""
        value = self.data.get(name)
        return cast("dict[str, object]", value) if isinstance(value, dict) else {}

    def tables(self, name: str) -> list[Mapping[str, object]]:
        """Return the tables ``[[name]]`` in order; empty when there are none (or they have another shape)."""
        value = self.data.get(name)
        if not _is_table_list(value):
            return []
        return cast("list[Mapping[str, object]]", value)


def load_config(path: str | None, environ: Mapping[str, str]) -> ConfigFile:
    """Return the file that ``path`` (``--config``) or ``BAROGRAPH_CONFIG`` names, else ``./barograph.toml``.

    Only ``./barograph.toml`` may be absent: then the result is empty.

    Raises:
        SettingsError: The file cannot be read or is not TOML; the error names the line.
    """
    named = path or environ.get(CONFIG_VARIABLE)
    if not named and not Path(DEFAULT_CONFIG).is_file():
        return ConfigFile()
    file = Path(named or DEFAULT_CONFIG)
    source = "--config" if path else CONFIG_VARIABLE if named else DEFAULT_CONFIG
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        # Some editors put a byte-order mark at the beginning.
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise _one_problem(source, str(file), f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _one_problem(
            str(file), "file", f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    if len(data) > _MAX_BYTES:
        raise _one_problem(source, str(file), f"is larger than {_MAX_BYTES:,} bytes")
    return parse_config(text, file)


def parse_config(text: str, path: Path) -> ConfigFile:
    """Return the configuration in ``text``, which was read from ``path``.

    Raises:
        SettingsError: ``text`` is not TOML; the error names the line.
    """
    try:
        config = ConfigFile(path, tomllib.loads(text), locate_keys(text))
        large = next(_large_numbers(config.data, ()), None)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_problem(text, path, str(error)) from error
    except RecursionError as error:
        raise _one_problem(str(path), "syntax", "brackets are nested too deeply") from error
    except ValueError as error:
        # Python converts no number of so many digits; `tomllib` does not say where it stands.
        found = _LONG_NUMBER.search(text)
        where = str(path) if found is None else f"{path}:{text.count(chr(10), 0, found.start()) + 1}"
        raise _one_problem(where, "syntax", "a number has too many digits" if found else str(error)) from error
    if large is not None:
        raise _one_problem(config.where(*large), ".".join(map(str, large)), "is a number of more than 64 bits")
    return config


def _large_numbers(value: object, key: KeyPath) -> Iterator[KeyPath]:
    """Yield the keys of whole numbers that TOML does not have; Python cannot even show the largest of them."""
    if isinstance(value, dict):
        for name, item in cast("dict[str, object]", value).items():
            yield from _large_numbers(item, (*key, name))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _large_numbers(item, (*key, index))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield key


def check_sections(config: ConfigFile) -> list[Problem]:
    """Return a problem for each top-level name that is unknown or has the wrong shape."""
    problems: list[Problem] = []
    for name, value in config.data.items():
        message = ""
        if name in SECTIONS:
            message = "" if isinstance(value, dict) else f"must be a table: write [{name}]"
        elif name in ENTRIES:
            message = "" if _is_table_list(value) else f"must be a list of tables: write [[{name}]]"
        else:
            message = f"is not a known section{suggestion(name, (*SECTIONS, *ENTRIES))}"
        if message:
            problems.append(Problem(config.where(name), name, message))
    return problems


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name most like ``word``, else the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(names)}" if names else ""


def _is_table_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in cast("list[object]", value))


def _syntax_problem(text: str, path: Path, message: str) -> SettingsError:
    match = _SYNTAX_LINE.search(message)
    if match is None:
        return _one_problem(str(path), "file", message)
    line = int(match[1]) if match[1] else len(text.splitlines())
    return _one_problem(f"{path}:{line}", "syntax", message[: match.start()])


def _one_problem(where: str, key: str, message: str) -> SettingsError:
    return SettingsError([Problem(where, key, message)])
