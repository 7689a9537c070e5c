"""What ordo talks about: pure values and rules, without any input or output."""
