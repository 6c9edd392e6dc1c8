"""Reads the raw value of a settings field and checks it by the field's type and metadata."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Final, Literal, Union, cast, get_args, get_origin, get_type_hints

from barograph_core.text.durations import parse_duration_ms
from barograph_core.text.sizes import parse_size_bytes

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_SCALARS: Final = (int, float, bool, str)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit of whole numbers, and the text with a unit that people may write instead."""

    ending: str
    name: str
    form: str
    example: str
    parse: Callable[[str], int]

    def read(self, text: str) -> int:
        try:
            return self.parse(text)
        except ValueError as error:
            raise ValueError(f"must be a whole number of {self.name} or a {self.form}: {error}") from None


_UNITS: Final = (
    _Unit("_ms", "milliseconds", "duration", "5m", parse_duration_ms),
    _Unit("_bytes", "bytes", "size", "1GB", parse_size_bytes),
)


@dataclass(frozen=True, slots=True)
class SettingField:
    """One field of a settings class.

    Attributes:
        name: Ends with its unit. An integer field that ends in ``_ms`` also accepts a duration such as ``"5m"``, one
            that ends in ``_bytes`` a size such as ``"1GB"``.
        kind: ``int``, ``float``, ``bool``, ``str``, or ``tuple`` for a tuple of str.
        is_secret: Whether the value must never be shown.
        is_reference: Whether ``env:NAME`` and ``file:path`` are replaced by the text that they name.
        default: The default as text for people, ``None`` when the field must be given.
        check: A function that returns what is wrong with a value, ``""`` if nothing.
    """

    name: str
    kind: type
    is_secret: bool
    is_reference: bool
    default: str | None
    choices: tuple[str, ...]
    minimum: float
    maximum: float
    help: str
    check: Callable[[object], str] | None

    def read(self, raw: object) -> object:
        """Convert ``raw`` (text from flag or environment, any TOML value from the file) to the field's type.

        Raises:
            ValueError: ``raw`` is of another type or out of range. The message says what it must be.
        """
        value = self._convert(raw)
        if self.choices:
            unknown = [one for one in _as_texts(value) if one not in self.choices]
            if unknown:
                raise ValueError(f"must be one of {', '.join(self.choices)}, not {self._shown(unknown[0])}")
        if isinstance(value, int | float) and not self.minimum <= value <= self.maximum:
            raise ValueError(f"must be {self._range()}, not {self._shown(raw)}")
        mistake = self.check(value) if self.check else ""
        if mistake:
            raise ValueError(mistake)
        return value

    def _convert(self, raw: object) -> object:
        if self.kind is tuple:
            return self._to_texts(raw)
        if self.kind is bool:
            return self._to_bool(raw)
        if self.kind is str:
            if not isinstance(raw, str):
                raise ValueError(f"must be text in quotes, not {self._shown(raw)}")
            return raw
        return self._to_int(raw) if self.kind is int else self._to_float(raw)

    def _to_texts(self, raw: object) -> tuple[str, ...]:
        if isinstance(raw, str):
            return tuple(part.strip() for part in raw.split(",") if part.strip())
        shown = self._shown(raw)
        items = cast("Sequence[object]", raw) if isinstance(raw, list | tuple) else (None,)
        texts = tuple(item for item in items if isinstance(item, str))
        if len(texts) < len(items):
            raise ValueError(f"must be a list of texts, not {shown}")
        return texts

    def _to_bool(self, raw: object) -> bool:
        if isinstance(raw, bool):
            return raw
        word = raw.lower() if isinstance(raw, str) else ""
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise ValueError(f"must be true or false, not {self._shown(raw)}")

    def _to_int(self, raw: object) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool):
            return raw
        unit = next((unit for unit in _UNITS if self.name.endswith(unit.ending)), None)
        if isinstance(raw, str):
            try:
                return int(raw)
            except ValueError:
                if unit:
                    return unit.read(raw)
        hint = f" (of {unit.name}) or a {unit.form} such as {unit.example!r}" if unit else ""
        raise ValueError(f"must be a whole number{hint}, not {self._shown(raw)}")

    def _to_float(self, raw: object) -> float:
        try:
            if isinstance(raw, int | float | str) and not isinstance(raw, bool):
                value = float(raw)
                if math.isfinite(value):
                    return value
        except (ValueError, OverflowError):
            pass
        raise ValueError(f"must be a number, not {self._shown(raw)}")

    def _shown(self, raw: object) -> str:
        return "what was given" if self.is_secret else repr(raw)

    def _range(self) -> str:
        if math.isinf(self.maximum):
            return f"at least {self.minimum:g}"
        if math.isinf(self.minimum):
            return f"at most {self.maximum:g}"
        return f"between {self.minimum:g} and {self.maximum:g}"


def fields_of(cls: type[object]) -> list[SettingField]:
    """Return the fields of the settings dataclass ``cls``, in order.

    Raises:
        TypeError: ``cls`` is not a dataclass, or a field has a type that settings cannot have.
    """
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls!r} is not a dataclass")
    hints = get_type_hints(cls)
    return [_field_from(item, hints[item.name]) for item in dataclasses.fields(cls) if item.init]


def _field_from(item: "dataclasses.Field[object]", hint: object) -> SettingField:
    kind, literals = _kind_of(hint, item.name)
    metadata: Mapping[str, object] = item.metadata
    is_secret = bool(metadata.get("secret"))
    choices = metadata.get("choices")
    return SettingField(
        name=item.name,
        kind=kind,
        is_secret=is_secret,
        is_reference=is_secret or bool(metadata.get("reference")),
        default=_default_text(item),
        choices=tuple(map(str, cast("Sequence[object]", choices))) if choices else literals,
        minimum=cast("float", metadata.get("minimum", -math.inf)),
        maximum=cast("float", metadata.get("maximum", math.inf)),
        help=str(metadata.get("help", "")),
        check=cast("Callable[[object], str] | None", metadata.get("check")),
    )


def _kind_of(hint: object, name: str) -> tuple[type, tuple[str, ...]]:
    """Return the field's kind and, for a ``Literal``, its choices. ``X | None`` counts as ``X``."""
    if get_origin(hint) in (Union, UnionType):
        inner = [part for part in get_args(hint) if part is not NoneType]
        if len(inner) == 1:
            return _kind_of(inner[0], name)
    if get_origin(hint) is Literal and all(isinstance(choice, str) for choice in get_args(hint)):
        return str, get_args(hint)
    if hint == tuple[str, ...]:
        return tuple, ()
    for scalar in _SCALARS:
        if hint is scalar:
            return scalar, ()
    raise TypeError(f"settings cannot have the field {name!r} of type {hint!r}")


def _default_text(item: "dataclasses.Field[object]") -> str | None:
    if item.default is not dataclasses.MISSING:
        value: object = item.default
    elif item.default_factory is not dataclasses.MISSING:
        value = item.default_factory()
    else:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else ",".join(_as_texts(value))


def _as_texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else (str(value),)
