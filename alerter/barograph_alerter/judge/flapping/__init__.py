"""Alerts that fire again and again: counted at each firing, told once, then only updated, until they are calm."""
