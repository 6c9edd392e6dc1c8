"""What a marker is: a moment at which something was done to a service, told by those who did it. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self, cast

from barograph_core.errors import MalformedEventError
from barograph_core.text.foreign_json import load_foreign_json
from barograph_core.text.timestamps import format_timestamp

# Of the entry on the alerts stream.
KIND: Final = "marker"
# Derived from the first sight of a model's version; no one tells it.
RELEASE: Final = "release"
MAX_TITLE: Final = 200
MAX_URL: Final = 1_000
MAX_KEY: Final = 255
MAX_ACTOR: Final = 128
# As long as the alerts stream keeps its entries.
KEPT_MS: Final = 90 * 86_400_000
# How far ahead of the server the clock of a build machine may be.
MOST_AHEAD_MS: Final = 5 * 60_000
# An alert that begins later than this after a marker is hardly its doing.
SOON_MS: Final = 30 * 60_000
_WORD: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")


class MarkerError(ValueError):
    """A marker cannot be meant so.

    Attributes:
        where: The part that is wrong: ``kind``, ``title``, ``url``, ``key``, ``at``, ``actor``.
    """

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A moment that charts show as a line, and that alerts which begin soon after it name.

    Attributes:
        key: Its identity within the service: who sends it again sends the same.
        at_ms: When it was done.
        kind: What was done, one word: ``deploy``, ``config``, ``migration``.
        title: Of what, for people: ``api 2.15``.
        url: Where more of it stands; empty for nowhere.
        actor: Who says so.
    """

    key: str
    service: str
    at_ms: int
    kind: str
    title: str
    url: str = ""
    actor: str = ""

    def is_repeated_by(self, other: "Marker") -> bool:
        """Say whether ``other`` is this one, sent again: its time may be that of the attempt."""
        return (self.kind, self.title, self.url) == (other.kind, other.title, other.url)

    def check(self, now_ms: int) -> None:
        """Refuse what no one can mean.

        Raises:
            MarkerError: A part is wrong.
        """
        if not _WORD.match(self.kind):
            raise MarkerError("kind", "is one word such as deploy: up to 32 of a-z 0-9 _ -, a letter first")
        if self.kind == RELEASE:
            raise MarkerError("kind", "release is what barograph derives from model versions; say deploy")
        for name, text, most in (("title", self.title, MAX_TITLE), ("key", self.key, MAX_KEY)):
            if not (1 <= len(text) <= most and text.isprintable() and not text.isspace()):
                raise MarkerError(name, f"has 1 to {most} printable characters")
        if len(self.actor) > MAX_ACTOR:
            raise MarkerError("actor", f"has at most {MAX_ACTOR} characters")
        if self.url and not _is_web_address(self.url):
            raise MarkerError("url", f"begins with http:// or https:// and has at most {MAX_URL} printable characters")
        if not now_ms - KEPT_MS <= self.at_ms <= now_ms + MOST_AHEAD_MS:
            raise MarkerError("at", f"is {format_timestamp(self.at_ms)}, not a time of the last 90 days")

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the text of ``to_json``. Unknown keys are ignored, so that a newer version can add some.

        Raises:
            MalformedEventError: It is no marker.
        """
        try:
            return cls._of(cast("dict[str, Any]", load_foreign_json(text)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedEventError(f"not a marker: {error}") from error

    def to_fields(self) -> list[str]:
        """Return names and values of the entry in turn."""
        own = asdict(self) | {"kind": KIND, "marker": self.kind}
        return [str(text) for pair in sorted(own.items(), key=lambda pair: _ORDER.index(pair[0])) for text in pair]

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Read an entry of this kind.

        Raises:
            MalformedEventError: A field is missing or unreadable.
        """
        texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
        try:
            return cls._of(texts | {"kind": texts["marker"]})
        except (ValueError, KeyError) as error:
            raise MalformedEventError(f"marker entry: {error!r}", fields) from error

    @classmethod
    def _of(cls, facts: Mapping[str, Any]) -> Self:
        return cls(
            key=str(facts["key"]),
            service=str(facts["service"]),
            at_ms=int(facts["at_ms"]),
            kind=str(facts["kind"]),
            title=str(facts["title"]),
            url=str(facts.get("url", "")),
            actor=str(facts.get("actor", "")),
        )


def last_before(markers: Iterable[Marker], began_ms: int) -> Marker | None:
    """Return the newest marker of the half hour before ``began_ms``; ``None`` where there is none."""
    near = [one for one in markers if 0 <= began_ms - one.at_ms <= SOON_MS]
    return max(near, key=lambda one: one.at_ms, default=None)


# Fields of an entry as people read them with redis-cli.
_ORDER: Final = ("kind", "marker", "service", "title", "at_ms", "url", "actor", "key")


def _is_web_address(url: str) -> bool:
    return len(url) <= MAX_URL and url.isprintable() and url.startswith(("http://", "https://"))
