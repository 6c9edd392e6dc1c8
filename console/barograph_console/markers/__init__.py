"""Markers: first sights of model versions, and what people and their tools did to a service."""
