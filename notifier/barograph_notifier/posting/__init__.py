"""Connections for channels: HTTP and SMTP to a checked address within a deadline, and the outcome of an answer."""
