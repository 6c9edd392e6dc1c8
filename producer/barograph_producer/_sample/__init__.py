"""The process and the host, sampled."""
