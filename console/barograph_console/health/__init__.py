"""Endpoints about the pipeline and the console itself."""
