"""Events to panes: fenced commits, the watermark, closing in order, roll-ups."""
