"""Sliding windows over closed panes."""
