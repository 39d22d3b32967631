"""Published experiments, run again: each paper's protocol and printed numbers as one card."""
