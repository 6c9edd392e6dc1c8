"""Where events that no producer sent are appended."""
