"""Checks records and packs them into encoded batches."""
