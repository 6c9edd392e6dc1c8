"""Who may call: tokens, sessions, and the gate that every request passes before the framework."""
