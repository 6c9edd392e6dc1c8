"""Alerts that another program decides on and pushes: what it says of them, how they begin, go on and end."""
