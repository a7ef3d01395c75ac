"""How code comes to run and goes on: programs, tasks, loops, and what ends them."""
