"""Endpoints about alerts."""
