"""Probe events that go through every stage, and the record of the heartbeats that are sent when they arrive."""
