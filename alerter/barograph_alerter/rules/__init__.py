"""Rules: what the configuration says, and the defaults."""
