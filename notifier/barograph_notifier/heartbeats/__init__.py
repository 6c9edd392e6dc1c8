"""Heartbeats to an outside watch, sent when a probe has gone through every stage of the pipeline."""
