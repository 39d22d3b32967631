"""What the reproduction of papers is fed with and drawn by; run by hand."""
