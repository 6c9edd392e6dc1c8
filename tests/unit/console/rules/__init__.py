"""Rules as the console shows them."""
