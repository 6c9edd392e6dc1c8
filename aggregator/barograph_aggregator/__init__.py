"""The aggregator turns events into panes: it commits parts, closes panes in order and removes expired data."""
