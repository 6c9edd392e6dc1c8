"""The console over its REST API: which one is asked, how an answer is read, and what can go wrong."""
