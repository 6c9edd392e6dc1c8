"""Endpoints about channels: what waits for each, and whether a message gets through."""
