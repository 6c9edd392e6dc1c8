"""The log as history: what `replay`, `export` and `import` share."""
