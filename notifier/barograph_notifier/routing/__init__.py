"""Decides which channels an alert goes to."""
