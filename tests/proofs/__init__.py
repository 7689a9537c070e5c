"""Proofs: real processes, killed and raced many times, judged by what the exchange received."""
