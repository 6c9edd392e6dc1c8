"""Commands about notifications: `notify`."""
