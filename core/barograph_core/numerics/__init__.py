"""Mathematics without a word of monitoring: exact sums, quantile sketches, grouping."""
