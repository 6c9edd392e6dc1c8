"""Reads a range of the events log."""
