"""Tests of the cache, against a real Redis that each run starts for itself and may do anything to."""
