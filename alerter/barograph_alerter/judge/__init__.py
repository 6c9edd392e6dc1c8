"""Judges the windows of a service, and turns the verdicts into changes of alerts."""
