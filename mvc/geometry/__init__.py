"""Weights as points: which tensors make the point, sketches of them, distances between them."""

from mvc.geometry.distances import TensorComparison, combine, compare_tensors, distance
from mvc.geometry.layers import Architecture, architecture_of, trainable
from mvc.geometry.sketches import EXACT, VERSION, WIDTH, Signature, sign_tensor, signature_length

__all__ = [
    "EXACT",
    "VERSION",
    "WIDTH",
    "Architecture",
    "Signature",
    "TensorComparison",
    "architecture_of",
    "combine",
    "compare_tensors",
    "distance",
    "sign_tensor",
    "signature_length",
    "trainable",
]
