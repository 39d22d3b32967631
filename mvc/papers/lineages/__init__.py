"""A protocol: runs, and their order, found among checkpoints thrown together; and mvc's own inference on them."""
