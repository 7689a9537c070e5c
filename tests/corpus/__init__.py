"""Bad input as data: what anybody may write, and what must become of it."""
