"""Likes, and the language of a post."""

import sqlalchemy as sa
from alembic import op

revision = "2b8e4c75d0f2"
down_revision = "1f6d0a93b7c1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("posts", sa.Column("language", sa.String(8)))
    op.create_table(
        "likes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "post_id", sa.Integer(), sa.ForeignKey("posts.id", ondelete="CASCADE"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_table("likes")
    with op.batch_alter_table("posts") as posts:
        posts.drop_column("language")
