"""A matcher: which texts are meant, in a form for configuration files. Pure.

``"eu"`` means that text, ``"eu-*"`` every text that begins so, ``["eu", "us-*"]`` each of several, ``"~eu-[0-9]+"``
what the whole regular expression matches, and ``"!eu"`` or ``"!~eu-.*"`` everything else. A label that is absent is the
empty text, so ``""`` means its absence and ``"!"`` its presence.

The regular expressions are those of RE2, as in Prometheus and Alertmanager: they have no form that backtracks, so a
match takes time linear in the text, whoever wrote the pattern or the label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, Self, cast

import re2

MAX_PATTERN: Final = 1_000
_MOST_ALTERNATIVES: Final = 100
# Limit of a compiled pattern: `(a{1000}){1000}` would take gigabytes.
_MOST_BYTES: Final = 1 << 20
_MUST_BE: Final = 'must be a text such as "eu", "eu-*", "~eu-.*" or "!eu", or a list of texts'


class _Expression(Protocol):
    def fullmatch(self, text: str) -> object: ...


class MatcherError(ValueError):
    """A matcher cannot be read; the message says what is wrong and what mends it."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """Says of a text whether it is meant. Two are equal if they were written alike.

    Attributes:
        alternatives: As written, without the ``!``: texts, patterns with ``*``, regular expressions after ``~``.
        is_negated: Whether what none of them matches is meant.
    """

    alternatives: tuple[str, ...]
    is_negated: bool = False

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a matcher from a value of a configuration file: a text, or a list of texts.

        Raises:
            MatcherError: It is something else, or holds a regular expression that RE2 does not take.
        """
        if isinstance(value, str):
            is_negated = value.startswith("!")
            return cls._checked((value.removeprefix("!"),), is_negated=is_negated)
        items = cast("list[object]", value) if isinstance(value, list) else []
        texts = tuple(item for item in items if isinstance(item, str))
        if not items or len(texts) != len(items):
            raise MatcherError(f"{_MUST_BE}, not {value!r}")
        for text in texts:
            if text.startswith("!"):
                raise MatcherError(f'{text!r} in a list would mean nearly everything: write one "!~a|b" instead')
        return cls._checked(texts, is_negated=False)

    @classmethod
    def of_alertmanager(cls, value: str, *, is_regex: bool, is_equal: bool) -> Self:
        """Return the matcher that means what Alertmanager's ``=``, ``!=``, ``=~`` or ``!~`` with ``value`` does.

        Raises:
            MatcherError: ``value`` is no regular expression and should be one.
        """
        # A text that another form would read as its own is written as an expression.
        is_plain = not is_regex and not value.startswith(("~", "!")) and "*" not in value
        text = value if is_plain else f"~{value if is_regex else _escaped(value)}"
        return cls._checked((text,), is_negated=not is_equal)

    @classmethod
    def _checked(cls, alternatives: tuple[str, ...], *, is_negated: bool) -> Self:
        if len(alternatives) > _MOST_ALTERNATIVES:
            raise MatcherError(f"has more than {_MOST_ALTERNATIVES} texts: write a regular expression")
        for text in alternatives:
            if len(text) > MAX_PATTERN:
                raise MatcherError(f"{text[:20]!r}… is longer than {MAX_PATTERN:,} characters")
            _expression_of(text)
        return cls(alternatives, is_negated)

    @property
    def source(self) -> str | list[str]:
        """Return it as it stands in a configuration file."""
        texts = list(self.alternatives)
        return texts if len(texts) > 1 else f"{'!' if self.is_negated else ''}{texts[0]}"

    @property
    def texts(self) -> frozenset[str] | None:
        """Return all the texts that it matches, ``None`` if they cannot be listed."""
        if self.is_negated or any(_expression_of(one) is not None for one in self.alternatives):
            return None
        return frozenset(self.alternatives)

    def matches(self, text: str) -> bool:
        """Say whether ``text`` is meant."""
        return any(_is_meant(text, one) for one in self.alternatives) is not self.is_negated

    def covers(self, other: "Matcher") -> bool:
        """Say whether it certainly matches everything that ``other`` does."""
        if not self.is_negated and "*" in self.alternatives:
            return True
        if other.texts is not None:
            return all(map(self.matches, other.texts))
        if self.is_negated != other.is_negated:
            return False
        narrow, wide = (self, other) if self.is_negated else (other, self)
        return set(narrow.alternatives) <= set(wide.alternatives)

    def __str__(self) -> str:
        """Return it as people read it, such as ``"eu" or "us-*"``."""
        words = " or ".join(f'"{one}"' for one in self.alternatives)
        return f"not {words}" if self.is_negated else words


def match_all(matchers: Mapping[str, Matcher], labels: Mapping[str, str]) -> bool:
    """Say whether each label that ``matchers`` name has a value that is meant; one that is absent is empty text."""
    return all(matcher.matches(labels.get(name, "")) for name, matcher in matchers.items())


@lru_cache(maxsize=1_000)
def _expression_of(alternative: str) -> "_Expression | None":
    """Return the compiled expression of ``~…`` or of a pattern with ``*``; ``None`` for a text that stands for itself.

    Raises:
        MatcherError: RE2 does not take it.
    """
    if alternative.startswith("~"):
        pattern = alternative[1:]
    elif "*" in alternative:
        pattern = ".*".join(map(_escaped, alternative.split("*")))
    else:
        return None
    options = re2.Options()
    options.log_errors, options.dot_nl, options.max_mem = False, True, _MOST_BYTES
    try:
        return cast("_Expression", re2.compile(pattern, options))
    except cast("type[Exception]", re2.error) as error:
        (reason,) = error.args  # bytes
        raise MatcherError(f"{alternative!r} is no regular expression of RE2: {reason.decode()}") from error


def _escaped(text: str) -> str:
    return cast("str", re2.escape(text))


def _is_meant(text: str, alternative: str) -> bool:
    expression = _expression_of(alternative)
    if expression is None:
        return text == alternative
    # Half a surrogate pair cannot be encoded, and RE2 reads UTF-8.
    return expression.fullmatch(text.encode(errors="replace").decode()) is not None
