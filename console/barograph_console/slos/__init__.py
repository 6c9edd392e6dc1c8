"""Service level objectives: how much of each budget is left, and how fast it burns."""
