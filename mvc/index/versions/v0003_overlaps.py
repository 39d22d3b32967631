"""Lineages beside those of other architectures. Filled when the engine that infers them reads the index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "overlaps",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("own", sa.String(length=64), nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("order", sa.String(length=16), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("tensors", sa.Integer(), nullable=False),
        sa.Column("shared", sa.BigInteger(), nullable=False),
        sa.Column("coverage", sa.Float(), nullable=False),
        sa.Column("identical", sa.BigInteger(), nullable=False),
        sa.Column("cosine", sa.Float(), nullable=True),
        sa.Column("sigmas", sa.Float(), nullable=True),
        sa.Column("runner_up", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"]),
        sa.PrimaryKeyConstraint("lineage", "architecture"),
    )
