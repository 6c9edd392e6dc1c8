"""Rules tried on recorded panes: what would have fired, and what a labelled or recorded past says to that."""
