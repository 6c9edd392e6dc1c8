"""Input of any kind, at every place that takes some: what a reader may do with it is refuse it in its own words."""
