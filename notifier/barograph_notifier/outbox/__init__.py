"""The outbox of a channel: what waits in which group, whose turn it is, and the record of each delivery."""
