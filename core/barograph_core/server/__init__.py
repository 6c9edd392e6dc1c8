"""The connection to the server or Cluster, and what it can answer."""
