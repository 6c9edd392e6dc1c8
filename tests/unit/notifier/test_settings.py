"""The notifier's settings are checked whole."""

import pytest

from barograph_core.errors import SettingsError
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.load import build_settings
from barograph_notifier.settings import NotifierSettings


def test_defaults_are_valid() -> None:
    assert build_settings(NotifierSettings, "notifier", {}, {}, ConfigFile()) == NotifierSettings()


def test_the_first_wait_is_not_longer_than_the_longest() -> None:
    environ = {"BAROGRAPH_NOTIFIER_RETRY_FIRST_MS": "10000", "BAROGRAPH_NOTIFIER_RETRY_CAP_MS": "5000"}
    with pytest.raises(SettingsError, match="retry_first_ms 10000 is greater than retry_cap_ms 5000"):
        build_settings(NotifierSettings, "notifier", {}, environ, ConfigFile())
