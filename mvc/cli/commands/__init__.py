"""One file a command. Each is imported only when its command runs, and holds its options and its text form."""
