"""The answers of the console that the analysis page draws, with their types."""
