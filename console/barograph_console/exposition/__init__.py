"""`/metrics`: all that Prometheus reads."""
