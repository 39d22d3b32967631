"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "architectures",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("tensors", sa.Integer(), nullable=False),
        sa.Column("weights", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "files",
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("manifest", "path"),
    )
    op.create_index("files_by_digest", "files", ["digest"], unique=False)
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "signatures",
        sa.Column("tensor", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("numel", sa.BigInteger(), nullable=False),
        sa.Column("nonfinite", sa.Integer(), nullable=False),
        sa.Column("max_abs", sa.Float(), nullable=False),
        sa.Column("sketch", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tensor", "version"),
    )
    op.create_table(
        "tags",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "inferences",
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.String(length=64), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["architecture"],
            ["architectures.id"],
        ),
        sa.PrimaryKeyConstraint("architecture"),
    )
    op.create_table(
        "lineages",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_source", sa.String(length=16), nullable=False),
        sa.Column("direction_confidence", sa.Float(), nullable=False),
        sa.Column("direction_source", sa.String(length=16), nullable=False),
        sa.Column("fork_commit", sa.String(length=64), nullable=True),
        sa.Column("fork_confidence", sa.Float(), nullable=True),
        sa.Column("fork_runner_up", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["architecture"],
            ["architectures.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_lineages_architecture"), "lineages", ["architecture"], unique=False)
    op.create_table(
        "points",
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("tensors", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["architecture"],
            ["architectures.id"],
        ),
        sa.PrimaryKeyConstraint("content"),
    )
    op.create_index(op.f("ix_points_architecture"), "points", ["architecture"], unique=False)
    op.create_table(
        "commits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("arrival", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("time", sa.String(length=40), nullable=False),
        sa.Column("step", sa.Float(), nullable=True),
        sa.Column("step_source", sa.String(length=16), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("parent", sa.String(length=64), nullable=True),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["architecture"],
            ["architectures.id"],
        ),
        sa.ForeignKeyConstraint(
            ["content"],
            ["points.content"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("arrival"),
    )
    op.create_index(op.f("ix_commits_architecture"), "commits", ["architecture"], unique=False)
    op.create_index(op.f("ix_commits_content"), "commits", ["content"], unique=False)
    op.create_index(op.f("ix_commits_manifest"), "commits", ["manifest"], unique=False)
    op.create_table(
        "distances",
        sa.Column("a", sa.String(length=64), nullable=False),
        sa.Column("b", sa.String(length=64), nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("distance", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["a"],
            ["points.content"],
        ),
        sa.ForeignKeyConstraint(
            ["architecture"],
            ["architectures.id"],
        ),
        sa.ForeignKeyConstraint(
            ["b"],
            ["points.content"],
        ),
        sa.PrimaryKeyConstraint("a", "b"),
    )
    op.create_index(op.f("ix_distances_architecture"), "distances", ["architecture"], unique=False)
    op.create_table(
        "flags",
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.id"],
        ),
        sa.PrimaryKeyConstraint("commit", "rule"),
    )
    op.create_table(
        "mixtures",
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.id"],
        ),
        sa.ForeignKeyConstraint(
            ["source"],
            ["commits.id"],
        ),
        sa.PrimaryKeyConstraint("commit", "source"),
    )
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
        sa.ForeignKeyConstraint(
            ["commit"],
            ["commits.id"],
        ),
        sa.ForeignKeyConstraint(
            ["lineage"],
            ["lineages.id"],
        ),
        sa.PrimaryKeyConstraint("commit"),
    )
    op.create_index(op.f("ix_placements_lineage"), "placements", ["lineage"], unique=False)
