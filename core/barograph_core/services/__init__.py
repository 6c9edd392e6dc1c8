"""Lists the services, and ends one: it is retired or deleted."""
