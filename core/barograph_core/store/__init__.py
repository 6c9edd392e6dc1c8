"""Reads and describes panes and figures as the server stores them."""
