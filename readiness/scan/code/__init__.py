"""What the code of a file says: its tree, its names, who calls and who catches; and what its project adds."""
