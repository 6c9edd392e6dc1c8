"""Who hears of an alert that no one acknowledges: further channels, each after a time."""
