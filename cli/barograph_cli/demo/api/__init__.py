"""The demo's API: a model served under load, with faults."""
