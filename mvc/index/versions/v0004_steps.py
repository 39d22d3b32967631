"""Steps between points as what they tell of damage, and lineages as walks of figures.

Filled when the engine that judges them reads the index.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "steps",
        sa.Column("now", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("judged", sa.String(length=64), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.ForeignKeyConstraint(["before"], ["points.content"]),
        sa.ForeignKeyConstraint(["now"], ["points.content"]),
        sa.PrimaryKeyConstraint("now"),
    )
    op.create_index("ix_steps_architecture", "steps", ["architecture"])
    # a walk is inferred, and so are all rows that an engine of another version left
    op.drop_table("walks")
    op.create_table(
        "walks",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.Column("judged", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"]),
        sa.PrimaryKeyConstraint("lineage"),
    )
    op.create_index("ix_walks_architecture", "walks", ["architecture"])
