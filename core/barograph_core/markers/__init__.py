"""Markers: what people and their tools did to a service, such as a deploy, and when."""
