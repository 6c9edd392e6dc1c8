"""The nouns that all stages agree on: errors, events, keys, panes, alerts, settings, and how to reach the server."""
