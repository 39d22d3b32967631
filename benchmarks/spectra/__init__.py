"""How long a layer's spectrum takes."""
