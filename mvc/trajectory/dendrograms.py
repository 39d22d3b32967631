"""Where the lines of a dendrogram go. Owns the layout; draws nothing and decides no cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvc.trajectory.mst import Floats, Ints, leaf_order, linkage


@dataclass(frozen=True)
class Dendrogram:
    """``order`` [n]: leaves from left to right. Merge i joins what stands at ``left[i]`` and ``right[i]``, whose own
    heights are ``below[i]`` (0 for leaves); all in the order of the merges, the lowest first."""

    order: Ints
    left: Floats
    right: Floats
    below: Floats
    heights: Floats


def lay_out_dendrogram(edges: Ints, heights: Floats) -> Dendrogram:
    """The single-linkage dendrogram whose merges are the ``edges`` [n-1, 2] at these ``heights``, ascending.

    A merge stands midway between what it joins. Chains of any depth: nothing here is recursive.
    """
    n = len(edges) + 1
    if n == 1:
        none = np.empty(0)
        return Dendrogram(np.zeros(1, np.intp), none, none, np.empty((0, 2)), none)
    order, _ = leaf_order(edges, heights)
    merges = linkage(edges, heights)
    at, height = np.empty(2 * n - 1), np.zeros(2 * n - 1)
    at[order] = np.arange(n)
    children = merges[:, :2].astype(np.intp)
    for new, (a, b) in enumerate(children.tolist(), n):
        at[new] = (at[a] + at[b]) / 2
    height[n:] = heights
    sides = np.argsort(at[children], axis=1)
    ordered = np.take_along_axis(children, sides, axis=1)
    places = at[ordered]
    return Dendrogram(order, places[:, 0], places[:, 1], height[ordered], heights)
