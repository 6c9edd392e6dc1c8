"""Records events in the host's threads: a call appends one record to a buffer, and nothing more."""
