"""When a post was liked, and posts in the order of time."""

import sqlalchemy as sa
from alembic import op

revision = "6d2a7f90c5b6"
down_revision = "2b8e4c75d0f2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("likes", sa.Column("created_at", sa.DateTime()))
    op.create_index("ix_posts_created_at", "posts", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_posts_created_at", "posts")
    with op.batch_alter_table("likes") as likes:
        likes.drop_column("created_at")
