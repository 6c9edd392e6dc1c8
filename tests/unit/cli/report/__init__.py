"""Tests of `barograph alerts report`, without a server."""
