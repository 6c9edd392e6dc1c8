"""The channels: one file each, with the reader of its configuration."""
