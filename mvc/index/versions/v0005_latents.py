"""Places of points in the latent spaces of embedders, filled when somebody asks for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "latents",
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("embedder", sa.String(length=64), nullable=False),
        sa.Column("latent", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("content", "embedder"),
    )
