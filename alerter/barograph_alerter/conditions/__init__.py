"""The language of rules: parsed, and evaluated against windows."""
