"""Points as lineages: families, order, direction, forks."""

from mvc.trajectory.identify import Identification, identify
from mvc.trajectory.inference import (
    Block,
    Declared,
    Direction,
    Fork,
    Inference,
    Lineage,
    Merge,
    Placement,
    Population,
    Relation,
    Source,
    lay_out,
)
from mvc.trajectory.lengths import distances_from
from mvc.trajectory.lineages import infer, infer_family
from mvc.trajectory.mixtures import Mixture, explain_mixture
from mvc.trajectory.mst import insert, linkage, minimum_spanning_tree
from mvc.trajectory.single_linkage import SingleLinkage, single_linkage

__all__ = [
    "Block",
    "Declared",
    "Direction",
    "Fork",
    "Identification",
    "Inference",
    "Lineage",
    "Merge",
    "Mixture",
    "Placement",
    "Population",
    "Relation",
    "SingleLinkage",
    "Source",
    "distances_from",
    "explain_mixture",
    "identify",
    "infer",
    "infer_family",
    "insert",
    "lay_out",
    "linkage",
    "minimum_spanning_tree",
    "single_linkage",
]
