"""No subject. Fails half-way: a column and rows are gone when it meets its error."""

from alembic import op

revision = "b3"
down_revision = "a1"


def upgrade() -> None:
    op.execute("DELETE FROM posts")
    op.drop_column("posts", "subject")
    op.create_index("ix_posts_subject", "posts", ["subject"])


def downgrade() -> None:
    op.drop_index("ix_posts_subject", "posts")
