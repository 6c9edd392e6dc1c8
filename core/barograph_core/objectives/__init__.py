"""Service level objectives: which events are good, and what is left of the budget for the others."""
