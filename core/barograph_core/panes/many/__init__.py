"""Many panes at once: most of what a small one costs does not depend on its size."""
