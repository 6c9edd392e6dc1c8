"""Events from programs that have no producer: as JSON, as CloudEvents, as spans of OpenTelemetry."""
