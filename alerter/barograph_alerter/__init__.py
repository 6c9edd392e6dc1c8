"""Barograph's alerter."""
