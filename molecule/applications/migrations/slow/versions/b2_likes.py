"""Likes. Half-way, every row and a column are spoilt: nobody may ever see that again."""

import pathlib
import time

import sqlalchemy as sa
from alembic import op

revision = "b2"
down_revision = "a1"


def upgrade() -> None:
    op.execute("UPDATE posts SET body = 'spoilt'")
    op.drop_column("posts", "subject")
    pathlib.Path("/tmp/half-way").touch()
    time.sleep(1)
    op.add_column("posts", sa.Column("subject", sa.String(64), nullable=False, server_default="lost"))
    op.create_table("likes", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("likes")
