"""How rules, routes and silences say which names and label values they mean."""
