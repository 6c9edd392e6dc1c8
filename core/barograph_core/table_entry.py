"""Reads the keys of one ``[[...]]`` table of the configuration and notes what is wrong with each."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar, cast

from barograph_core.config_file import ConfigFile, suggestion
from barograph_core.durations import format_duration, parse_duration_ms
from barograph_core.errors import Problem
from barograph_core.keys import is_service_name
from barograph_core.secret_refs import resolve_secret

T = TypeVar("T", bound=str)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class TableEntry:
    """One ``[[rule]]``, ``[[channel]]`` or ``[[route]]``. What no method took is unknown.

    Every method takes the key it reads. A value that is wrong is noted and replaced by the default, so that
    reading goes on.
    """

    def __init__(
        self,
        config: ConfigFile,
        section: str,
        index: int,
        table: Mapping[str, object],
        environ: Mapping[str, str],
        problems: list[Problem],
    ) -> None:
        self._config = config
        self._section, self._index = section, index
        self._table = table
        self._environ = environ
        self._problems = problems
        self._known: set[str] = set()
        self._begin = len(problems)

    @classmethod
    def all_of(
        cls, config: ConfigFile, section: str, problems: list[Problem], environ: Mapping[str, str] = _NOTHING
    ) -> "Iterator[TableEntry]":
        """Return the entries of ``section`` in order; read one before asking for the next.

        Args:
            config: The configuration file.
            section: Their name, as in ``[[rule]]``.
            problems: Grows by what is wrong.
            environ: For ``env:NAME``.
        """
        for index, table in enumerate(config.tables(section)):
            yield cls(config, section, index, table, environ, problems)

    @property
    def has_problems(self) -> bool:
        """Say whether anything is wrong with this entry so far."""
        return len(self._problems) > self._begin

    def complain(self, key: str, message: str) -> None:
        """Note what is wrong with ``key``."""
        where = self._config.where(self._section, self._index, key)
        self._problems.append(Problem(where, f"{self._section}[{self._index + 1}].{key}", message))

    def complain_of_unknown_keys(self) -> None:
        """Note each key that nobody took."""
        for key in self._table:
            if key not in self._known:
                self.complain(key, f"is not a key of this {self._section}{suggestion(key, self._known)}")

    def name(self, taken: set[str]) -> str:
        """Return the key ``name``, of what can name a service too: it becomes part of Redis keys.

        Args:
            taken: Names of the entries before this one. Grows, even by the name of an entry that is wrong.
        """
        name = self.text("name", is_required=True)
        if name and not is_service_name(name):
            self.complain("name", f"{name!r} is not 1 to 64 of A-Z a-z 0-9 . _ -")
        if name in taken:
            self.complain("name", f"{name!r} names another {self._section} already")
        if name:
            taken.add(name)
        return name

    def text(self, key: str, *, is_required: bool = False) -> str:
        """Return a text, empty when absent; where required, not empty."""
        return self._text(key, is_required=is_required) or ""

    def given_text(self, key: str) -> str | None:
        """Return a text, ``None`` when absent or wrong: for keys to which an empty text is no answer."""
        return self._text(key)

    def secret(self, key: str, *, is_required: bool = False) -> str:
        """Return a text for which ``env:NAME`` and ``file:path`` may stand."""
        return self._resolve(key, self._text(key, is_required=is_required, is_secret=True) or "")

    def choice(self, key: str, choices: Sequence[T], *, default: T) -> T:
        """Return one of ``choices``."""
        value = self._take(key)
        for choice in choices:
            if value == choice:
                return choice
        if value is not None:
            self._refuse(key, f"one of {', '.join(choices)}", value)
        return default

    def flag(self, key: str) -> bool:
        """Return true or false; absent is false."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self._refuse(key, "true or false", value)
        return False

    def duration_ms(self, key: str, *, minimum: int, maximum: int) -> int | None:
        """Return a duration such as ``"10s"``, ``None`` when absent or wrong."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self._refuse(key, 'a duration in quotes such as "10s"', value)
            return None
        try:
            ms = parse_duration_ms(value)
        except ValueError as error:
            self.complain(key, str(error))
            return None
        if not minimum <= ms <= maximum:
            self._refuse(key, f"{format_duration(minimum)} to {format_duration(maximum)}", value)
            return None
        return ms

    def texts(self, key: str, *, is_required: bool = False) -> tuple[str, ...]:
        """Return a list of texts, none of them empty; where required, at least one."""
        value = self._take(key, is_required=is_required)
        if value is None:
            return ()
        items = _items_of(value)
        texts = tuple(item for item in items if isinstance(item, str) and item)
        if len(texts) != len(items) or (is_required and not items):
            self._refuse(key, 'a list of texts such as ["one", "two"]', value)
            return ()
        return texts

    def text_table(self, key: str, *, are_secrets: bool = False) -> dict[str, str]:
        """Return a table of texts, resolved like ``secret`` where ``are_secrets``."""
        value = self._take(key)
        if value is None:
            return {}
        items = _pairs_of(value)
        texts = {name: item for name, item in items.items() if isinstance(item, str)}
        if len(texts) != len(items):
            self._refuse(key, 'a table of texts such as { name = "text" }', value, is_secret=are_secrets)
            return {}
        return {name: self._resolve(key, item) if are_secrets else item for name, item in texts.items()}

    def take_rest(self, *, are_secrets: bool = False) -> dict[str, object]:
        """Return every key not taken yet; texts are resolved like ``secret`` where ``are_secrets``."""
        rest = {key: value for key, value in self._table.items() if key not in self._known}
        self._known |= rest.keys()
        if not are_secrets:
            return rest
        return {key: self._resolve(key, value) if isinstance(value, str) else value for key, value in rest.items()}

    def _take(self, key: str, *, is_required: bool = False) -> object:
        self._known.add(key)
        if is_required and key not in self._table:
            self.complain(key, "is missing")
        return self._table.get(key)

    def _text(self, key: str, *, is_required: bool = False, is_secret: bool = False) -> str | None:
        value = self._take(key, is_required=is_required)
        if value is None:
            return None
        if not isinstance(value, str):
            self._refuse(key, "text in quotes", value, is_secret=is_secret)
            return None
        if is_required and not value:
            self.complain(key, "must not be empty")
        return value

    def _resolve(self, key: str, text: str) -> str:
        try:
            return resolve_secret(text, self._environ)
        except ValueError as error:
            self.complain(key, str(error))
            return ""

    def _refuse(self, key: str, wanted: str, value: object, *, is_secret: bool = False) -> None:
        self.complain(key, f"must be {wanted}, not {'what was given' if is_secret else repr(value)}")


def _items_of(value: object) -> list[object]:
    """Return the items of a list; for what is none, one that is no text."""
    return cast("list[object]", value) if isinstance(value, list) else [None]


def _pairs_of(value: object) -> dict[str, object]:
    """Return a table; for what is none, one whose value is no text."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
