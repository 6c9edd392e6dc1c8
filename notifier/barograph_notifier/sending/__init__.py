"""Sends what is due: makes the attempts of a turn, puts alerts of a group into one message, tries again."""
