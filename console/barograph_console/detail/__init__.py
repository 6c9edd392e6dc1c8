"""One alert in full: why it fires, the series of its rule, what happened to it, and what was sent."""
