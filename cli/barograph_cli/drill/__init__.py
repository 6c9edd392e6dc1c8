"""`drill`: errors of a service of its own through the whole pipeline, and the time at each stage."""
