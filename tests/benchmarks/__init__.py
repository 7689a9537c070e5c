"""What ordo costs beside its floor, measured in one run: `python -m tests.benchmarks [P1 P4 ...]`."""
