"""What ordo does: one function per operation, taking the desk and domain values and giving domain values back."""
