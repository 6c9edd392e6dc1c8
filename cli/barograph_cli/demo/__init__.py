"""Runs a real ML API under load through an incident and back, watched by the whole pipeline."""
