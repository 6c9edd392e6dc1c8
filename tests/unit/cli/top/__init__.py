"""Tests of `barograph top`, without a console."""
