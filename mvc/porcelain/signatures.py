"""Signatures in the index. Owns how they are spelled there; computes none."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mvc.geometry import VERSION, Signature
from mvc.index import Reader, SignatureRow, chunked
from mvc.objects import ObjectId


def read_signatures(reader: Reader, tensors: Iterable[ObjectId]) -> dict[ObjectId, Signature]:
    """Signatures that the index has of these tensors."""
    return {
        row.tensor: Signature(row.numel, row.nonfinite, row.max_abs, np.frombuffer(row.sketch, "<f4"))
        for piece in chunked(tensors)
        for row in SignatureRow.find(reader, tensor=piece, version=VERSION)
    }


def indexed_signatures(reader: Reader, tensors: Iterable[ObjectId]) -> set[ObjectId]:
    """Those of these tensors whose signatures the index has."""
    return {
        ObjectId(tensor)
        for piece in chunked(tensors)
        for (tensor,) in SignatureRow.pick(reader, "tensor", tensor=piece, version=VERSION)
    }


def signature_row(tensor: ObjectId, signature: Signature) -> SignatureRow:
    sketch = signature.values.astype("<f4").tobytes()
    return SignatureRow(tensor, VERSION, signature.numel, signature.nonfinite, signature.max_abs, sketch)
