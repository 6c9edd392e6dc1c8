"""Settings and configuration: read from flags, environment, file and defaults, with every mistake named."""
