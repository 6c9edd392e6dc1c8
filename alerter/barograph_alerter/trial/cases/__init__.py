"""Tests of rules in a file: series in a short notation, and the alerts that they are expected to make."""
