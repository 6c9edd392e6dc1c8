"""Templates that people write: compiled and checked once, rendered within bounds."""
