"""Writes the pipeline's own metrics as panes of a service."""
