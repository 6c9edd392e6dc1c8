"""Reads closed panes of a service: which of them answer, and how much work that may be."""
