"""When a channel may send, how many senders work, and when a failed attempt is repeated."""
