"""Tests of Alertmanager's API over fakes."""
