"""Weights as points: which tensors make the point, sketches of them, distances between them, their symmetries.

`mvc.geometry.matching` is imported by its own name: it alone needs SciPy, which is slow to load.
"""

from mvc.geometry.distances import TensorComparison, combine, compare_tensors, distance
from mvc.geometry.layers import Architecture, architecture_of, trainable
from mvc.geometry.permutations import Axis, PermutationSpec, Units, derive, permute, rescale
from mvc.geometry.sketches import EXACT, VERSION, WIDTH, Signature, sign_tensor, signature_length
from mvc.geometry.transforms import close_transform, transform

__all__ = [
    "EXACT",
    "VERSION",
    "WIDTH",
    "Architecture",
    "Axis",
    "PermutationSpec",
    "Signature",
    "TensorComparison",
    "Units",
    "architecture_of",
    "close_transform",
    "combine",
    "compare_tensors",
    "derive",
    "distance",
    "permute",
    "rescale",
    "sign_tensor",
    "signature_length",
    "trainable",
    "transform",
]
