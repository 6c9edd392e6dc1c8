"""What changes, worked out once and sent to everyone who watches."""
