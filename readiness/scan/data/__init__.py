"""Where data comes from and where it goes: outside data, secrets, answers, what is loaded again."""
