"""Weights as points: which tensors make the point, sketches of them, distances between them, their symmetries
and spectra.

`mvc.geometry.matching` and `mvc.geometry.explaining` are imported by their own names: only matching needs SciPy, when
it matches.
"""

from mvc.geometry.bulk import Bulk
from mvc.geometry.distances import TensorComparison, combine, compare_tensors, distance, estimate_tensors
from mvc.geometry.layers import Architecture, architecture_of, trainable
from mvc.geometry.layouts import derive
from mvc.geometry.permutations import Axis, PermutationSpec, Scaling, Units, permute, rescale
from mvc.geometry.scales import balance, fit_scales
from mvc.geometry.sketches import EXACT, VERSION, WIDTH, Signature, sign_tensor, signature_length
from mvc.geometry.spectra import LayerSpectrum, layer_spectrum
from mvc.geometry.statistics import (
    EXTREMES,
    TRIMMED,
    layer_statistics,
    population_statistics,
    statistic_names,
    tensor_statistics,
)
from mvc.geometry.tails import PowerLaw, fit_tail, plausibility
from mvc.geometry.transformers import head_sizes
from mvc.geometry.transforms import Made, transform

__all__ = [
    "EXACT",
    "EXTREMES",
    "TRIMMED",
    "VERSION",
    "WIDTH",
    "Architecture",
    "Axis",
    "Bulk",
    "LayerSpectrum",
    "Made",
    "PermutationSpec",
    "PowerLaw",
    "Scaling",
    "Signature",
    "TensorComparison",
    "Units",
    "architecture_of",
    "balance",
    "combine",
    "compare_tensors",
    "derive",
    "distance",
    "estimate_tensors",
    "fit_scales",
    "fit_tail",
    "head_sizes",
    "layer_spectrum",
    "layer_statistics",
    "permute",
    "plausibility",
    "population_statistics",
    "rescale",
    "sign_tensor",
    "signature_length",
    "statistic_names",
    "tensor_statistics",
    "trainable",
    "transform",
]
