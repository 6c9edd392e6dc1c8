"""Reads the keys of one entry of the configuration and notes what is wrong with each."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from barograph_core.config_file import ConfigFile, suggestion
from barograph_core.durations import format_duration, parse_duration_ms
from barograph_core.errors import Problem
from barograph_core.secret_refs import resolve_secret

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class ConfigEntry:
    """One ``[[channel]]`` or ``[[route]]``. Every method takes the key it reads; what no method took is unknown.

    A value that is wrong is noted and replaced by the default, so that reading goes on.
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

    @property
    def has_problems(self) -> bool:
        return len(self._problems) > self._begin

    def complain(self, key: str, message: str) -> None:
        """Note what is wrong with ``key``."""
        where = self._config.where(self._section, self._index, *([key] if key in self._table else []))
        self._problems.append(Problem(where, f"{self._section}[{self._index + 1}].{key}", message))

    def complain_of_unknown_keys(self) -> None:
        """Note each key that nobody took."""
        for key in self._table:
            if key not in self._known:
                self.complain(key, f"is not a key of this {self._section}{suggestion(key, self._known)}")

    def _take(self, key: str) -> object:
        self._known.add(key)
        return self._table.get(key)

    def _require(self, key: str, *, is_required: bool) -> None:
        if is_required and key not in self._table:
            self.complain(key, "is missing")

    def name(self) -> str:
        """Return the key ``name``: 1 to 64 of ``A-Z a-z 0-9 . _ -``, for it becomes part of Redis keys."""
        name = self.text("name", is_required=True)
        if name and not _NAME.match(name):
            self.complain("name", f"{name!r} is not 1 to 64 of A-Z a-z 0-9 . _ -")
        return name

    def text(self, key: str, *, is_required: bool = False) -> str:
        """Return a text, empty when absent."""
        value = self._take(key)
        self._require(key, is_required=is_required)
        if value is None:
            return ""
        if not isinstance(value, str) or (is_required and not value):
            self.complain(key, "must be a text that is not empty" if is_required else "must be a text")
            return ""
        return value

    def secret(self, key: str, *, is_required: bool = False) -> str:
        """Return a text for which ``env:NAME`` and ``file:path`` may stand."""
        return self._resolve(key, self.text(key, is_required=is_required))

    def _resolve(self, key: str, text: str) -> str:
        try:
            return resolve_secret(text, self._environ)
        except ValueError as error:
            self.complain(key, str(error))
            return ""

    def choice(self, key: str, choices: Sequence[str], *, default: str) -> str:
        """Return one of ``choices``."""
        value = self.text(key) or default
        if value not in choices:
            self.complain(key, f"{value!r} is not one of {', '.join(choices)}")
            return default
        return value

    def flag(self, key: str) -> bool:
        """Return true or false; absent is false."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.complain(key, "must be true or false")
        return False

    def duration_ms(self, key: str, *, minimum: int, maximum: int) -> int | None:
        """Return a duration such as ``"10s"``, ``None`` when absent or wrong."""
        text = self.text(key)
        if not text:
            return None
        try:
            ms = parse_duration_ms(text)
        except ValueError as error:
            self.complain(key, str(error))
            return None
        if not minimum <= ms <= maximum:
            self.complain(key, f"must be {format_duration(minimum)} to {format_duration(maximum)}, not {text!r}")
            return None
        return ms

    def texts(self, key: str, *, is_required: bool = False) -> tuple[str, ...]:
        """Return a list of texts; where required, at least one."""
        value = self._take(key)
        self._require(key, is_required=is_required)
        if value is None:
            return ()
        items = cast("list[object]", value) if isinstance(value, list) else [None]
        texts = tuple(item for item in items if isinstance(item, str) and item)
        if len(texts) != len(items) or (is_required and not items):
            self.complain(key, 'must be a list of texts such as ["one", "two"]')
            return ()
        return texts

    def text_table(self, key: str, *, are_secrets: bool = False) -> dict[str, str]:
        """Return a table of texts, resolved like ``secret`` where ``are_secrets``."""
        value = self._take(key)
        if value is None:
            return {}
        items = cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
        texts = {name: item for name, item in items.items() if isinstance(item, str)}
        if len(texts) != len(items):
            self.complain(key, 'must be a table of texts such as { name = "text" }')
            return {}
        return {name: self._resolve(key, item) if are_secrets else item for name, item in texts.items()}

    def take_rest(self, *, are_secrets: bool = False) -> dict[str, object]:
        """Return every key not taken yet; texts are resolved like ``secret`` where ``are_secrets``."""
        rest = {key: value for key, value in self._table.items() if key not in self._known}
        self._known |= rest.keys()
        if not are_secrets:
            return rest
        return {key: self._resolve(key, value) if isinstance(value, str) else value for key, value in rest.items()}
