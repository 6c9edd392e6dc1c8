"""Rules before they page: checked, tested on made series, and tried on the past."""
