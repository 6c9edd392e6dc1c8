"""The one configuration file: found, read whole, and able to say on which line each key stands."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from barograph_core.errors import Problem, SettingsError
from barograph_core.toml_lines import KeyPath, locate_keys

DEFAULT_CONFIG: Final = "barograph.toml"
CONFIG_VARIABLE: Final = "BAROGRAPH_CONFIG"
SECTIONS: Final = ("server", "aggregator", "alerter", "notifier", "console")
ENTRIES: Final = ("rule", "channel", "route")
# Names that the design reserves. Taken silently they would promise what nothing here does.
_RESERVED_ENTRIES: Final = ("slo", "inhibit")
_SYNTAX_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A parsed ``barograph.toml``, or nothing when there is none.

    Attributes:
        path: The file, or ``None`` when settings come from elsewhere only.
        data: What ``tomllib`` made of it.
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

    Only the last may be absent: then the result is empty.

    Raises:
        SettingsError: The file cannot be read or is not TOML; names the line.
    """
    named = path or environ.get(CONFIG_VARIABLE)
    if not named and not Path(DEFAULT_CONFIG).is_file():
        return ConfigFile()
    file = Path(named or DEFAULT_CONFIG)
    source = "--config" if path else CONFIG_VARIABLE if named else DEFAULT_CONFIG
    try:
        # Some editors put a byte-order mark at the beginning.
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _one_problem(source, str(file), f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _one_problem(
            str(file), "file", f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    return parse_config(text, file)


def parse_config(text: str, path: Path) -> ConfigFile:
    """Return the configuration written in ``text``, which was read from ``path``.

    Raises:
        SettingsError: ``text`` is not TOML; names the line.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_problem(text, path, str(error)) from error
    return ConfigFile(path, data, locate_keys(text))


def check_sections(config: ConfigFile) -> list[Problem]:
    """Return a problem for each top-level name that nobody reads, or that has the wrong shape."""
    problems: list[Problem] = []
    for name, value in config.data.items():
        message = ""
        if name in _RESERVED_ENTRIES:
            message = "is not read by this version"
        elif name in SECTIONS:
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
