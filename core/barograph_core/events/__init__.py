"""The kinds of events, and the format they are sent in. Imports nothing outside the standard library."""
