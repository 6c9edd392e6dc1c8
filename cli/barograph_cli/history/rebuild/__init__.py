"""Rebuilds panes in a prefix of their own: writes entries there and folds them as aggregators do."""
