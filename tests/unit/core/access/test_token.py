import pytest

from barograph_core.access.session import Session
from barograph_core.access.token import EMPTY_DIGEST, Role, Token, digest_of, is_token_name, new_token
from barograph_core.errors import MalformedEventError

NOW_MS = 1_700_000_000_000


def test_a_secret_is_long_random_and_not_stored() -> None:
    """32 random bytes; what is kept of them does not lead back."""
    made = [new_token("mira", Role.READ, now_ms=NOW_MS) for _ in range(100)]
    assert len({secret for secret, _ in made}) == 100
    for secret, token in made:
        assert secret.startswith("baro_")
        assert len(secret) == len("baro_") + 43
        assert token.digest == digest_of(secret)
        assert secret not in token.to_json()


def test_a_token_reads_as_it_was_written() -> None:
    token = Token("0a1b2c3d", digest_of("x"), "mira", Role.INGEST, NOW_MS, NOW_MS + 1)
    assert Token.from_json("0a1b2c3d", token.to_json().encode()) == token


def test_a_session_reads_as_it_was_written() -> None:
    session = Session("0a1b2c3d", "mira", Role.ADMIN, NOW_MS, NOW_MS + 5)
    assert Session.from_json(session.to_json().encode()) == session


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"5", b"\xff", b'{"sha256": "a", "name": "n", "role": "king"}'])
def test_what_is_no_token_and_no_session_is_said_so(text: bytes) -> None:
    with pytest.raises(MalformedEventError):
        Token.from_json("0a", text)
    with pytest.raises(MalformedEventError):
        Session.from_json(text)


def test_a_token_matches_its_own_secret_only() -> None:
    secret, token = new_token("mira", Role.READ, now_ms=NOW_MS)
    assert token.matches(digest_of(secret))
    assert not token.matches(digest_of(secret + " "))
    assert not token.matches(token.digest.upper())


def test_the_digest_of_nothing_matches_nothing() -> None:
    assert digest_of("") == EMPTY_DIGEST
    assert not Token("0a", EMPTY_DIGEST, "slip", Role.ADMIN).matches(EMPTY_DIGEST)


def test_a_token_expires_at_its_moment_and_without_one_never() -> None:
    token = Token("0a", "d", "mira", Role.READ, NOW_MS, NOW_MS + 10)
    assert [token.is_expired(NOW_MS + later) for later in (9, 10, 11)] == [False, True, True]
    assert not Token("0a", "d", "mira", Role.READ, NOW_MS).is_expired(2**60)


def test_a_session_ends_twelve_hours_after_its_use_and_seven_days_after_its_beginning() -> None:
    hour_ms = 3_600_000
    assert Session("t", "n", Role.READ, NOW_MS, NOW_MS).ends_ms() == NOW_MS + 12 * hour_ms
    assert Session("t", "n", Role.READ, NOW_MS, NOW_MS + 160 * hour_ms).ends_ms() == NOW_MS + 168 * hour_ms


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("mira", True), ("ci@example.org", True), ("", False), ("a b", False), ("x" * 65, False), ("a\n", False)],
)
def test_names_of_holders_are_plain(name: str, is_one: bool) -> None:
    """They stand in logs and on pages."""
    assert is_token_name(name) is is_one
