"""Inference by families. What was inferred before is dropped: it is inferred again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("flags", "mixtures", "placements", "lineages", "inferences"):
        op.execute(sa.text(f"DELETE FROM {table}"))
    op.drop_index("ix_placements_lineage", "placements")
    op.drop_index("ix_lineages_architecture", "lineages")
    for table in ("placements", "lineages", "inferences"):
        op.drop_table(table)
    op.create_table(
        "units",
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["content"], ["points.content"]),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.PrimaryKeyConstraint("content"),
    )
    op.create_index("ix_units_architecture", "units", ["architecture"], unique=False)
    op.create_table(
        "forests",
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("varying", sa.Text(), nullable=False),
        sa.Column("absent", sa.Text(), nullable=False),
        sa.Column("edges", sa.LargeBinary(), nullable=False),
        sa.Column("links", sa.LargeBinary(), nullable=False),
        sa.Column("nulls", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.PrimaryKeyConstraint("architecture"),
    )
    op.create_table(
        "inferences",
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.String(length=64), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["family"], ["points.content"]),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.PrimaryKeyConstraint("family"),
    )
    op.create_index("ix_inferences_architecture", "inferences", ["architecture"], unique=False)
    op.create_table(
        "lineages",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_source", sa.String(length=16), nullable=False),
        sa.Column("direction_confidence", sa.Float(), nullable=False),
        sa.Column("direction_source", sa.String(length=16), nullable=False),
        sa.Column("fork_commit", sa.String(length=64), nullable=True),
        sa.Column("fork_confidence", sa.Float(), nullable=True),
        sa.Column("fork_runner_up", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.ForeignKeyConstraint(["family"], ["inferences.family"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_lineages_architecture", "lineages", ["architecture"], unique=False)
    op.create_index("ix_lineages_family", "lineages", ["family"], unique=False)
    op.create_table(
        "placements",
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.String(length=64), nullable=True),
        sa.Column("distance", sa.Float(), nullable=True),
        sa.Column("turning_angle", sa.Float(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["commit"], ["commits.id"]),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"]),
        sa.PrimaryKeyConstraint("commit"),
    )
    op.create_index("ix_placements_lineage", "placements", ["lineage"], unique=False)
    op.create_table(
        "walks",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("lengths", sa.LargeBinary(), nullable=False),
        sa.Column("turns", sa.LargeBinary(), nullable=False),
        sa.Column("judged", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"]),
        sa.ForeignKeyConstraint(["architecture"], ["architectures.id"]),
        sa.PrimaryKeyConstraint("lineage"),
    )
    op.create_index("ix_walks_architecture", "walks", ["architecture"], unique=False)
