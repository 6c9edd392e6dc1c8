"""The log as history: `replay` rebuilds panes from it, `export` writes it as rows, `import` brings rows back."""
