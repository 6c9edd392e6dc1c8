"""Commands that change something: service, shards and install; and check."""
