"""The function library: the parts of the protocol that run on the server."""
