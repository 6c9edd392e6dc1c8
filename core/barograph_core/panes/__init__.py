"""Panes: what one service did in one step of time. Builds, merges, packs and summarises them."""
