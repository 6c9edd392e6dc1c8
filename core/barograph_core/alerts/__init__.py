"""What an alert is, and each change that can happen to it."""
