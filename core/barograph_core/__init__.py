"""Shared vocabulary of all stages: events, codec, keys, streams, panes, settings, errors."""
