"""The rows of tables and the points of charts, out of one merged pane. Pure."""
