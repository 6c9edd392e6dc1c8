"""Runs processes and servers on this machine, for ``barograph up`` and ``demo``."""
