"""`barograph notify preview`: what each channel would send, and nothing is sent."""

import json
from pathlib import Path

import pytest

from barograph_cli.__main__ import main

_CONFIG = """
[[channel]]
name = "screen"
type = "console"
title = "{{ service }} in {{ label.region }}"

[[channel]]
name = "hook"
type = "webhook"
url = "https://hooks.example.com/secret-path"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "barograph.toml"
    path.write_text(_CONFIG)
    return str(path)


def test_every_channel_shows_its_message(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--rule", "high-error-rate", "--service", "ranker", "--label", "region=eu\x1b[2J", "--json"]
    assert main(["notify", "preview", "--config", config, *argv]) == 0
    screen, hook = json.loads(capsys.readouterr().out)
    assert "FIRING" in screen["message"]
    assert "ranker in eu\ufffd[2J" in screen["message"]
    alert = json.loads(hook["message"])["alert"]
    assert (alert["rule"], alert["service"], alert["labels"]["region"]) == ("high-error-rate", "ranker", "eu\x1b[2J")
    assert "secret-path" not in hook["message"]


def test_a_template_that_fails_is_named(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The plain words stand in its place, as they would in a delivery."""
    assert main(["notify", "preview", "screen", "--config", config, "--status", "resolved"]) == 1
    out, err = capsys.readouterr()
    assert "── screen ──" in out
    assert "RESOLVED" in out
    assert err.startswith("screen: title: UndefinedError: 'dict object' has no attribute 'region'")


def test_the_html_of_an_e_mail_is_written_for_a_browser(config: str, tmp_path: Path) -> None:
    file = tmp_path / "mail.html"
    argv = ["--rule", "high-error-rate", "--label", "region=eu", "--html", str(file)]
    assert main(["notify", "preview", "screen", "--config", config, *argv]) == 0
    assert "_test in eu" in file.read_text(encoding="utf-8")


def test_a_channel_with_templates_of_digests_shows_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "barograph.toml"
    file.write_text('[[channel]]\nname = "screen"\ntype = "console"\ndigest_title = "{{ count }} of {{ rule }}"\n')
    assert main(["notify", "preview", "--config", str(file), "--rule", "high-error-rate"]) == 0
    _, _, several = capsys.readouterr().out.partition("── screen, several alerts ──\n")
    assert several.splitlines()[0] == "FIRING critical: 2 of high-error-rate"
