"""Reads the keys of one ``[[...]]`` table of the configuration and records what is wrong with each."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeVar, cast

from barograph_core.errors import Problem
from barograph_core.events.kinds import is_service_name
from barograph_core.matching.matcher import Matcher, MatcherError
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.secrets import resolve_secret
from barograph_core.text.durations import format_duration, parse_duration_ms

T = TypeVar("T", bound=str)
_PER_CENT: Final = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,12})?) ?%\Z", re.ASCII)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class TableEntry:
    """One ``[[rule]]``, ``[[channel]]``, ``[[route]]`` or ``[[times]]``. Keys that no method has read are unknown ones.

    A wrong value is recorded as a problem and replaced by the default, so that one reading names all mistakes.
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
        self._section = section
        self._path: tuple[str | int, ...] = (section, index)
        self._name = f"{section}[{index + 1}]"
        self._table = table
        self._environ = environ
        self._problems = problems
        self._known: set[str] = set()
        self._begin = len(problems)

    @classmethod
    def all_of(
        cls, config: ConfigFile, section: str, problems: list[Problem], environ: Mapping[str, str] = _NOTHING
    ) -> "Iterator[TableEntry]":
        """Yield the entries of ``section``, such as ``rule``, in order. Read one before taking the next.

        Problems of each are appended to ``problems``; ``environ`` is for values of the form ``env:NAME``.
        """
        for index, table in enumerate(config.tables(section)):
            yield cls(config, section, index, table, environ, problems)

    @property
    def has_problems(self) -> bool:
        """Say whether anything is wrong with this entry so far."""
        return len(self._problems) > self._begin

    def add_problem(self, key: str, message: str) -> None:
        """Record what is wrong with ``key``."""
        where = self._config.where(*self._path, key)
        self._problems.append(Problem(where, f"{self._name}.{key}", message))

    def add_unknown_keys(self) -> None:
        """Record each key that no method has read."""
        for key in self._table:
            if key not in self._known:
                self.add_problem(key, f"is not a key of this {self._section}{suggestion(key, self._known)}")

    def refuse(self, key: str, message: str) -> None:
        """Record ``message`` if the entry holds ``key``, which has no meaning here."""
        if key in self._table:
            self._known.add(key)
            self.add_problem(key, message)

    def name(self, taken: set[str]) -> str:
        """Return the key ``name``, in the characters of a service's name: it becomes part of Redis keys.

        Args:
            taken: Names of the entries before this one. The name is added, even when the entry is wrong.
        """
        name = self.text("name", is_required=True)
        if name and not is_service_name(name):
            self.add_problem("name", f"{name!r} is not 1 to 64 of A-Z a-z 0-9 . _ -")
        if name in taken:
            self.add_problem("name", f"{name!r} names another {self._section} already")
        if name:
            taken.add(name)
        return name

    def text(self, key: str, *, is_required: bool = False) -> str:
        """Return a text, empty when absent; where required, not empty."""
        return self._text(key, is_required=is_required) or ""

    def given_text(self, key: str) -> str | None:
        """Return a text, ``None`` when absent or wrong: for keys where an empty text differs from none."""
        return self._text(key)

    def secret(self, key: str, *, is_required: bool = False) -> str:
        """Return a text, which may be given as ``env:NAME`` or ``file:path``."""
        return self._resolve(key, self._text(key, is_required=is_required, is_secret=True) or "")

    def secret_reference(self, key: str, *, is_required: bool = False) -> str:
        """Return a secret, which must be given as ``env:NAME`` or ``file:path``: configuration files are shared."""
        text = self._text(key, is_required=is_required, is_secret=True) or ""
        if text and not text.startswith(("env:", "file:")):
            self.add_problem(key, 'is a secret: give it as "env:NAME" or "file:path", not in this file')
            return ""
        return self._resolve(key, text)

    def choice(self, key: str, choices: Sequence[T], *, default: T) -> T:
        """Return one of ``choices``."""
        value = self._take(key)
        for choice in choices:
            if value == choice:
                return choice
        if value is not None:
            self._refuse(key, f"one of {', '.join(choices)}", value)
        return default

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false; ``default`` when absent or wrong."""
        value = self._take(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self._refuse(key, "true or false", value)
        return default

    def whole_number(self, key: str, *, minimum: int, maximum: int) -> int | None:
        """Return a whole number, ``None`` when absent or wrong."""
        value = self._take(key)
        if value is None:
            return None
        # In Python true is a number too.
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            self._refuse(key, f"a whole number from {minimum} to {maximum}", value)
            return None
        return value

    def number(self, key: str) -> float | None:
        """Return a finite number, ``None`` when absent or wrong."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._refuse(key, "a number", value)
            return None
        return float(value)

    def share(self, key: str, *, is_required: bool = False) -> float | None:
        """Return a share between 0 and 1, also given as ``"99.9 %"``; ``None`` when absent or wrong."""
        value = self._take(key, is_required=is_required)
        if value is None:
            return None
        per_cent = _PER_CENT.match(value) if isinstance(value, str) else None
        if per_cent is not None:
            # As people wrote it: 99.9 % is 0.999, not 0.9990000000000001.
            share = float(Decimal(per_cent[1]) / 100)
        else:
            share = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if 0 < share < 1:
            return share
        mend = f': {share / 100:.12g} or "{share:.12g} %"' if 1 < share < 100 else ""
        self._refuse(key, f'a share between 0 and 1 such as 0.999, or per cent in quotes such as "99.9 %"{mend}', value)
        return None

    def place(self, key: str) -> str:
        """Return where ``key`` stands: file and line."""
        return self._config.where(*self._path, key)

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
            self.add_problem(key, str(error))
            return None
        if not minimum <= ms <= maximum:
            self._refuse(key, f"{format_duration(minimum)} to {format_duration(maximum)}", value)
            return None
        return ms

    def is_given(self, key: str) -> bool:
        """Say whether the table has ``key``."""
        return key in self._table

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

    def text_or_table(self, key: str, wanted: str) -> str | dict[str, str]:
        """Return a text or a table of texts, an empty table when absent or wrong; ``wanted`` says what is expected."""
        value = self._take(key)
        if isinstance(value, str):
            return value
        items = _pairs_of(value) if value is not None else {}
        texts = {name: item for name, item in items.items() if isinstance(item, str)}
        if len(texts) != len(items) or (value is not None and not items):
            self._refuse(key, wanted, value)
            return {}
        return texts

    def text_or_text_tables(self, key: str, wanted: str) -> str | list[dict[str, str]] | None:
        """Return a text or a list of tables of texts, ``None`` when absent or wrong; ``wanted`` says what is right."""
        value = self._take(key)
        if value is None or isinstance(value, str):
            return value
        tables = [_pairs_of(item) for item in _items_of(value)]
        texts = [{name: one for name, one in table.items() if isinstance(one, str)} for table in tables]
        if any(not table for table in tables) or texts != tables:
            self._refuse(key, wanted, value)
            return None
        return texts

    def matcher(self, key: str) -> Matcher | None:
        """Return the matcher of a name, such as ``["shop-*", "ranker"]``; ``None`` when absent or wrong."""
        value = self._take(key)
        if value is None:
            return None
        matcher = self._matcher(key, key, value)
        plain = () if matcher is None else [one for one in matcher.alternatives if not one.startswith("~")]
        for text in plain:
            if not is_service_name(text.replace("*", "x")):
                self.add_problem(key, f"{text!r} is no name: in one, * means any text; ~ begins a regular expression")
        return matcher

    def matchers(self, key: str) -> dict[str, Matcher]:
        """Return a table of matchers by label, such as ``{ team = "ml", region = "!~eu-.*" }``."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(key, 'a table of matchers such as { team = "ml", region = "~eu-.*" }', value)
            return {}
        read = {name: self._matcher(key, name, one) for name, one in cast("dict[str, object]", value).items()}
        return {name: matcher for name, matcher in read.items() if matcher is not None}

    def _matcher(self, key: str, name: str, value: object) -> Matcher | None:
        try:
            return Matcher.parse(value)
        except MatcherError as error:
            self.add_problem(key, str(error) if key == name else f"{name} {error}")
            return None

    def tables(self, key: str) -> "Iterator[TableEntry]":
        """Yield the tables in the list at ``key``; none when absent or wrong. Read one before taking the next."""
        value = self._take(key)
        if value is None:
            return
        items = cast("list[object]", value) if isinstance(value, list) else [None]
        if not all(isinstance(item, dict) for item in items):
            wanted = 'a list of tables such as [{ name = "one" }, { name = "two" }]'
            self._refuse(key, wanted, self._table[key])
            return
        for index, item in enumerate(items):
            yield self._nested(key, index, cast("dict[str, object]", item))

    def flag_or_table(self, key: str, wanted: str) -> "bool | TableEntry | None":
        """Return true, false or a table to read, ``None`` when absent or wrong; ``wanted`` says what is expected."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, dict):
            self._refuse(key, wanted, value)
            return None
        return self._nested(key, None, cast("dict[str, object]", value))

    def _nested(self, key: str, index: int | None, table: Mapping[str, object]) -> "TableEntry":
        section = key if index is None else f"entry of {key}"
        entry = TableEntry(self._config, section, index or 0, table, self._environ, self._problems)
        entry._path = (*self._path, key) if index is None else (*self._path, key, index)
        entry._name = f"{self._name}.{key}" if index is None else f"{self._name}.{key}[{index + 1}]"
        return entry

    def take_rest(self, *, are_secrets: bool = False) -> dict[str, object]:
        """Return every key not read yet; texts are resolved like ``secret`` where ``are_secrets``."""
        rest = {key: value for key, value in self._table.items() if key not in self._known}
        self._known |= rest.keys()
        if not are_secrets:
            return rest
        return {key: self._resolve(key, value) if isinstance(value, str) else value for key, value in rest.items()}

    def _take(self, key: str, *, is_required: bool = False) -> object:
        self._known.add(key)
        if is_required and key not in self._table:
            self.add_problem(key, "is missing")
        return self._table.get(key)

    def _text(self, key: str, *, is_required: bool = False, is_secret: bool = False) -> str | None:
        value = self._take(key, is_required=is_required)
        if value is None:
            return None
        if not isinstance(value, str):
            self._refuse(key, "text in quotes", value, is_secret=is_secret)
            return None
        if is_required and not value:
            self.add_problem(key, "must not be empty")
        return value

    def _resolve(self, key: str, text: str) -> str:
        try:
            return resolve_secret(text, self._environ)
        except ValueError as error:
            self.add_problem(key, str(error))
            return ""

    def _refuse(self, key: str, wanted: str, value: object, *, is_secret: bool = False) -> None:
        self.add_problem(key, f"must be {wanted}, not {'what was given' if is_secret else repr(value)}")


def _items_of(value: object) -> list[object]:
    """Return the items of a list; for any other value, one item that is not a text."""
    return cast("list[object]", value) if isinstance(value, list) else [None]


def _pairs_of(value: object) -> dict[str, object]:
    """Return a table; for any other value, a table whose value is not a text."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
