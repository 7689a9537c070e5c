"""Tests of what ships to run ordo as a service."""
