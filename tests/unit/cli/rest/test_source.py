"""Which console is asked and with which token: from the environment, and never shown."""

from pathlib import Path

import pytest

from barograph_cli.rest.source import Source, read_source
from barograph_core.errors import SettingsError


def test_without_any_setting_it_is_the_usual_console_without_a_token() -> None:
    assert read_source({}) == Source("http://127.0.0.1:8642", "")


def test_the_token_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("baro_secret\n")
    found = read_source({"BAROGRAPH_CONSOLE_TOKEN_FILE": str(tmp_path / "token")})
    assert found == Source("http://127.0.0.1:8642", "baro_secret")


def test_the_token_is_not_in_the_text_of_a_source() -> None:
    assert "baro_secret" not in repr(read_source({"BAROGRAPH_CONSOLE_TOKEN": "baro_secret"}))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("127.0.0.1:8642", "is not a URL"),
        ("ftp://127.0.0.1", "is not a URL"),
        ("http://127.0.0.1:99999", "is not a URL"),
        ("http://mira:baro_secret@127.0.0.1", "a token belongs into BAROGRAPH_CONSOLE_TOKEN"),
        ("http://127.0.0.1/?token=baro_secret", "a token belongs into BAROGRAPH_CONSOLE_TOKEN"),
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str, message: str) -> None:
    """It may hold a password."""
    with pytest.raises(SettingsError, match=message) as caught:
        read_source({"BAROGRAPH_CONSOLE_URL": url})
    assert "baro_secret" not in str(caught.value)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_source({"BAROGRAPH_CONSOLE_URL": "x", "BAROGRAPH_CONSOLE_TOKEN_FILE": str(tmp_path / "none")})
    assert [problem.key for problem in caught.value.problems] == ["url", "token"]


def test_a_token_with_a_line_break_is_refused_without_repeating_it() -> None:
    """It would end the header and begin another one."""
    with pytest.raises(SettingsError) as caught:
        read_source({"BAROGRAPH_CONSOLE_TOKEN": "baro_secret\r\nHost: elsewhere"})
    assert "baro_secret" not in str(caught.value)
