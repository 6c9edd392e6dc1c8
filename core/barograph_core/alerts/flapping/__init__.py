"""Which alerts fire and resolve again and again, and the one incident that channels know them by meanwhile."""
