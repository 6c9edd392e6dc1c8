"""Alertmanager's API, version 2, for amtool and karma: alerts and silences under the names that these tools know."""
