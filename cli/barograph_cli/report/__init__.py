"""What reviews ask for: `barograph alerts report`, from the alerts stream alone, and the budgets of `barograph slo`."""
