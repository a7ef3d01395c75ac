"""A service as a whole: the facts of each file, and what they come to once all files are known."""
