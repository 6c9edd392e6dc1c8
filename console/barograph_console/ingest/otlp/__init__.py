"""Spans of OpenTelemetry, over OTLP/HTTP: those of servers become requests, those of generative models predictions."""
