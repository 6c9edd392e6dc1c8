"""Commits events as parts of panes."""
