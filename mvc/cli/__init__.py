"""The command line: a thin door to porcelain. The only floor that knows click, rich, exit codes, the environment."""
