"""The alert states of services: read where they have changed, and written in one call."""
