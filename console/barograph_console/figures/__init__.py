"""Endpoints about measurements."""
