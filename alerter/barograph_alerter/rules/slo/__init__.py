"""Service level objectives: read from the configuration, and made rules on the rate at which budgets burn."""
