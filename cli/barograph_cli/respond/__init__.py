"""Commands of whoever is on call: alerts and silences."""
