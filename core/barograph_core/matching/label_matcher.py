"""A matcher of one label in the form of Alertmanager: ``route=~"/api/.*"``. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from barograph_core.matching.matcher import Matcher, MatcherError

_FORM: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"=!~{},]+))\s*(=~|!~|!=|=)\s*(.*?)\s*\Z', re.DOTALL)
_PLAIN: Final = re.compile(r'[^\s"=!~{},]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\Z', re.DOTALL)
_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}
_FORMS: Final = 'name=value, name!=value, name=~"regex" or name!~"regex"'
_LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """Says which values of a label are meant; a label that is absent is the empty text.

    Attributes:
        name: Of the label.
        value: A text, or a regular expression of RE2 that matches from begin to end.
        is_regex: Which of the two.
        is_equal: Whether what matches is meant, and not everything else.
    """

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True
    _matcher: Matcher = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _LONGEST_NAME:
            raise MatcherError(f"the name of a label has 1 to {_LONGEST_NAME} characters")
        found = Matcher.of_alertmanager(self.value, is_regex=self.is_regex, is_equal=self.is_equal)
        object.__setattr__(self, "_matcher", found)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name=value``, ``name!=value``, ``name=~regex`` or ``name!~regex``; name and value may be quoted.

        Raises:
            MatcherError: It has another form, or its regular expression is none.
        """
        match = _FORM.match(text)
        if match is None:
            raise MatcherError(f"{text[:60]!r} is no matcher: write {_FORMS}")
        quoted, plain, operator, value = match.groups()
        if value.startswith('"'):
            inner = _QUOTED.match(value)
            if inner is None:
                raise MatcherError(f"{text[:60]!r}: the quotes of the value do not close at its end")
            value = _unescaped(inner[1])
        name = plain if quoted is None else _unescaped(quoted)
        return cls(name, value, operator.endswith("~"), not operator.startswith("!"))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether ``labels`` are meant."""
        return self._matcher.matches(labels.get(self.name, ""))

    @property
    def operator(self) -> str:
        return ("=" if self.is_equal else "!") + ("~" if self.is_regex else "" if self.is_equal else "=")

    def __str__(self) -> str:
        """Return it in the form of ``parse``."""
        name = self.name if _PLAIN.fullmatch(self.name) else f'"{_escaped(self.name)}"'
        return f'{name}{self.operator}"{_escaped(self.value)}"'


def match_every(matchers: Iterable[LabelMatcher], labels: Mapping[str, str]) -> bool:
    """Say whether each of ``matchers`` means ``labels``."""
    return all(matcher.matches(labels) for matcher in matchers)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text, flags=re.DOTALL)
