"""The demo's screen and story."""
