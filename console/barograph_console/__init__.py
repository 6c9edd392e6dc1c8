"""Barograph's console."""
