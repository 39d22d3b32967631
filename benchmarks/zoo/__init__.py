"""What training a population costs."""
