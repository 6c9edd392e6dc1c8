"""The web page, and how its files are served."""
