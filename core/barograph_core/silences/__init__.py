"""Silences: which alerts people mute, from when to when, and each change of that."""
