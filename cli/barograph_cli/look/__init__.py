"""Commands that only read: status and tail."""
