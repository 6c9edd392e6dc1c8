"""Parses and formats durations, sizes, ages and timestamps."""
