"""A session: what a browser holds instead of a token."""

import json
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from barograph_core.access.token import Role
from barograph_core.errors import MalformedEventError
from barograph_core.text.foreign_json import load_foreign_json

# A session ends this long after it was last used, and at the latest this long after its sign-in.
IDLE_MS: Final = 12 * 3_600_000
LONGEST_MS: Final = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Session:
    """What the server keeps of a session, under the digest of the id that the browser's cookie holds.

    Attributes:
        token_id: The token it was begun with; when that is revoked, the session ends.
        created_ms: Time of the sign-in.
        used_ms: Time of its last use, as far as that was noted.
    """

    token_id: str
    name: str
    role: Role
    created_ms: int
    used_ms: int

    def ends_ms(self) -> int:
        return min(self.used_ms + IDLE_MS, self.created_ms + LONGEST_MS)

    def to_json(self) -> str:
        facts = {"token": self.token_id, "name": self.name, "role": self.role.value}
        return json.dumps({**facts, "created_ms": self.created_ms, "used_ms": self.used_ms})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            MalformedEventError: It is something else.
        """
        try:
            facts = cast("dict[str, Any]", load_foreign_json(text))
            return cls(
                token_id=str(facts["token"]),
                name=str(facts["name"]),
                role=Role(facts["role"]),
                created_ms=int(facts["created_ms"]),
                used_ms=int(facts["used_ms"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedEventError("a session cannot be read") from error
