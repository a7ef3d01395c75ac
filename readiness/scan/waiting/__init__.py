"""How long code waits: what calls of libraries are given as their timeout, and deadlines from outside."""
