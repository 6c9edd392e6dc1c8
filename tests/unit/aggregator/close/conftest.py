"""The pipeline in virtual time."""

from tests.virtual_pipeline import virtual

__all__ = ["virtual"]
