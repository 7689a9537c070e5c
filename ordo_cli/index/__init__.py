"""A list of instruments as one file that is searched without being read: for each broker, and each address of it.

It imports next to nothing, because the completion of a word stands on it.
"""
