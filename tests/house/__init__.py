"""The rules of the house itself: what the lock, the shape of the code, its start-up and its packaging must keep to."""
