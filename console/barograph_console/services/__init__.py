"""All services at a glance: a card for each."""
