"""The rules as alerters published them: which watch a service, and the bounds that they set."""
