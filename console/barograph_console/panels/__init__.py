"""Tables and charts of one service, each on its own."""
