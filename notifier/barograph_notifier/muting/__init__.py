"""Which firings are held back when they would be sent: silences and inhibition, decided before grouping."""
