"""Ships batches to the server, in a background thread of the producer."""
