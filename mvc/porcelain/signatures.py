"""Signatures in the index. Owns how they are spelled there; computes none."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mvc.geometry import VERSION, Signature
from mvc.index import Connection, SignatureRow, chunked, select
from mvc.objects import ObjectId


def read_signatures(connection: Connection, tensors: Iterable[ObjectId]) -> dict[ObjectId, Signature]:
    """Signatures that the index has of these tensors."""
    column = SignatureRow.TABLE.c
    return {
        row.tensor: Signature(row.numel, row.nonfinite, row.max_abs, np.frombuffer(row.sketch, "<f4"))
        for piece in chunked(tensors)
        for row in SignatureRow.select(connection, column.tensor.in_(piece), column.version == VERSION)
    }


def indexed_signatures(connection: Connection, tensors: Iterable[ObjectId]) -> set[ObjectId]:
    """Those of these tensors whose signatures the index has."""
    column = SignatureRow.TABLE.c
    return {
        ObjectId(tensor)
        for piece in chunked(tensors)
        for (tensor,) in connection.execute(
            select(column.tensor).where(column.tensor.in_(piece), column.version == VERSION)
        )
    }


def signature_row(tensor: ObjectId, signature: Signature) -> SignatureRow:
    sketch = signature.values.astype("<f4").tobytes()
    return SignatureRow(tensor, VERSION, signature.numel, signature.nonfinite, signature.max_abs, sketch)
