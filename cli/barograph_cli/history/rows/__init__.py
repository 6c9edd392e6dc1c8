"""Reads and writes events as rows of a file: JSON Lines, Parquet, access logs."""
