"""Endpoints about silences."""
