"""Tests of the hooks over fakes."""
