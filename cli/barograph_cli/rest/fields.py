"""Reads the fields of a JSON answer with the types that the console promises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from barograph_cli.rest.failure import ConsoleError


def _unexpected(name: str) -> ConsoleError:
    return ConsoleError(
        f"The console's answer has no {name} as it is expected here.",
        "Install the same version of barograph on both sides.",
    )


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object. Each method reads one field.

    Raises:
        ConsoleError: The field is not there, or has another type.
    """

    values: Mapping[str, object]

    @classmethod
    def of(cls, found: object) -> "Fields | None":
        """Return ``found`` as fields, ``None`` when it is not a JSON object."""
        return cls(cast("Mapping[str, object]", found)) if isinstance(found, dict) else None

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if not isinstance(value, str):
            raise _unexpected(name)
        return value

    def count(self, name: str) -> int:
        value = self.values.get(name)
        if not isinstance(value, int):
            raise _unexpected(name)
        return value

    def number(self, name: str) -> float | None:
        """Return a number, or ``None`` where there is none to tell."""
        value = self.values.get(name)
        if value is None and name in self.values:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _unexpected(name)
        return float(value)

    def moment(self, name: str) -> int | None:
        """Return ms since the epoch, or ``None`` where there is none to tell."""
        return None if self.values.get(name, 0) is None else self.count(name)

    def labels(self, name: str) -> dict[str, str]:
        inner = Fields.of(self.values.get(name))
        if inner is None:
            raise _unexpected(name)
        return {label: inner.text(label) for label in inner.values}

    def inner(self, name: str) -> "Fields":
        """Return the object in a field."""
        return self._of_item(name, self.values.get(name))

    def rows(self, name: str) -> "list[Fields]":
        return [self._of_item(name, item) for item in self.items(name)]

    def items(self, name: str) -> list[object]:
        value = self.values.get(name)
        if not isinstance(value, list):
            raise _unexpected(name)
        return cast("list[object]", value)

    def code(self) -> str:
        """Return the code of an error that the console answered with; empty when it has none."""
        return str(self.values.get("code", ""))

    def detail(self) -> str:
        """Return what an error of the console says to people; empty when it says nothing."""
        return str(self.values.get("detail", ""))

    @staticmethod
    def _of_item(name: str, item: object) -> "Fields":
        found = Fields.of(item)
        if found is None:
            raise _unexpected(name)
        return found
