"""Everything that the page draws of one service, in one answer."""
