"""What the endpoints ask for, as protocols, and the Redis behind them."""
