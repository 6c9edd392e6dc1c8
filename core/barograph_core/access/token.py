"""A token: the secret that a program or a person shows, and what is stored of it."""

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self, cast

from barograph_core.errors import MalformedEventError
from barograph_core.text.foreign_json import load_foreign_json

_PREFIX: Final = "baro_"
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 4
_NAME: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}\Z")
# SHA-256 of no bytes: what `printf %s "$UNSET" | sha256sum` gives when the variable is not set.
EMPTY_DIGEST: Final = hashlib.sha256(b"").hexdigest()


class Role(StrEnum):
    """What the holder of a token may do.

    ``read`` may read everything, ``admin`` may do everything, ``ingest`` may only send events and
    markers, ``alerts`` may only use Alertmanager's interface.
    """

    READ = "read"
    ADMIN = "admin"
    INGEST = "ingest"
    ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: never the secret itself.

    Attributes:
        token_id: Names it for ``barograph token revoke``; not secret.
        digest: SHA-256 of the secret, 64 hex digits in lower case.
        name: Whose it is; changes are recorded under this name.
        created_ms: When it was made.
        expires_ms: From when on it is refused; 0 for never.
    """

    token_id: str
    digest: str
    name: str
    role: Role
    created_ms: int = 0
    expires_ms: int = 0

    def is_expired(self, now_ms: int) -> bool:
        return 0 < self.expires_ms <= now_ms

    def matches(self, digest: str) -> bool:
        """Compare in constant time. The digest of the empty text matches nothing."""
        return hmac.compare_digest(self.digest, digest) and digest != EMPTY_DIGEST

    def to_json(self) -> str:
        return json.dumps(
            {
                "sha256": self.digest,
                "name": self.name,
                "role": self.role.value,
                "created_ms": self.created_ms,
                "expires_ms": self.expires_ms,
            }
        )

    @classmethod
    def from_json(cls, token_id: str, text: bytes) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            MalformedEventError: It is something else.
        """
        try:
            facts = cast("dict[str, Any]", load_foreign_json(text))
            return cls(
                token_id=token_id,
                digest=str(facts["sha256"]),
                name=str(facts["name"]),
                role=Role(facts["role"]),
                created_ms=int(facts["created_ms"]),
                expires_ms=int(facts["expires_ms"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedEventError(f"token {token_id!r} cannot be read") from error


def is_token_name(name: str) -> bool:
    """Say whether ``name`` may name the holder of a token: 1 to 64 of ``A-Z a-z 0-9 . _ @ -``."""
    return _NAME.match(name) is not None


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a token or of a session's id, as hex digits in lower case."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_token(name: str, role: Role, *, now_ms: int, expires_ms: int = 0) -> tuple[str, Token]:
    """Make a token; return the secret, which is shown once, and what is stored of it."""
    secret = f"{_PREFIX}{secrets.token_urlsafe(_SECRET_BYTES)}"
    token = Token(secrets.token_hex(_ID_BYTES), digest_of(secret), name, role, now_ms, expires_ms)
    return secret, token
