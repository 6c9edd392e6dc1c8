"""Barograph's cli."""
