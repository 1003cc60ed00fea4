"""Posts."""

import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "posts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("body", sa.String(500), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("posts")
