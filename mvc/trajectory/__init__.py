"""Points as lineages: families, order, direction, forks."""

from mvc.trajectory.identify import Identification, identify
from mvc.trajectory.inference import (
    Block,
    Declared,
    Direction,
    Fork,
    Inference,
    Lineage,
    Placement,
    Population,
    Relation,
    Source,
    lay_out,
)
from mvc.trajectory.lineages import infer
from mvc.trajectory.mixtures import Mixture, explain_mixture
from mvc.trajectory.mst import linkage, minimum_spanning_tree

__all__ = [
    "Block",
    "Declared",
    "Direction",
    "Fork",
    "Identification",
    "Inference",
    "Lineage",
    "Mixture",
    "Placement",
    "Population",
    "Relation",
    "Source",
    "explain_mixture",
    "identify",
    "infer",
    "lay_out",
    "linkage",
    "minimum_spanning_tree",
]
