"""Who may call the console: tokens, and the sessions that people begin with them."""
