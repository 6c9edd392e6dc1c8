"""Reads the state of the pipeline itself: backlogs, account, workers, producers."""
