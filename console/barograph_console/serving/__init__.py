"""The HTTP server: who may ask, and how errors look."""
