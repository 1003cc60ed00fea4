"""Reactions. Fails half-way: a table is made and rows are gone when it meets its error."""

import sqlalchemy as sa
from alembic import op

revision = "3c9f1d86e4a3"
down_revision = "2b8e4c75d0f2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reactions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("post_id", sa.Integer(), sa.ForeignKey("posts.id"), nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
    )
    op.execute("DELETE FROM posts WHERE author_id IS NULL")
    op.create_index("ix_posts_subject", "posts", ["subject"])


def downgrade() -> None:
    op.drop_index("ix_posts_subject", "posts")
    op.drop_table("reactions")
