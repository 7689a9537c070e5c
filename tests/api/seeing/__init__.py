"""Tests of what is told of a running server: metrics, spans, the dashboard and the alerts."""
