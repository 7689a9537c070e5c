"""ordo: one order, many broker accounts, from the terminal."""
