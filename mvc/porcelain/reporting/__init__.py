"""What a report shows, gathered from what the index knows: one picture's data a file. Reads no weights."""
