"""Closes panes and roll-ups in order, once the watermark has passed them."""
