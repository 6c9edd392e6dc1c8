"""Decodes and checks the entries of the events stream."""
