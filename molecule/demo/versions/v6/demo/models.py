"""What the database holds."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import List, Optional

from flask_babel import get_locale
from flask_login import UserMixin
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship
from werkzeug.security import check_password_hash, generate_password_hash

from demo.extensions import db, login


def utcnow() -> datetime:
    """Return the time as the database keeps it: UTC, without a zone."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def current_language() -> str:
    """Return the language of whoever is writing."""
    return str(get_locale())


class User(UserMixin, db.Model):
    """A member, who can sign in."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(255))

    def set_password(self, password: str) -> None:
        """Keep the password's hash."""
        self.password_hash = generate_password_hash(password)

    def has_password(self, password: str) -> bool:
        """Tell whether this is the password."""
        return check_password_hash(self.password_hash, password)


class Post(db.Model):
    """A line in the guestbook; a visitor's has no author."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(String(500))
    image: Mapped[Optional[str]] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    author_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))
    author: Mapped[Optional[User]] = relationship(lazy="joined")
    language: Mapped[Optional[str]] = mapped_column(String(8), default=current_language)
    likes: Mapped[List[Like]] = relationship(lazy="selectin")


class Like(db.Model):
    """Somebody's approval of a post."""

    __tablename__ = "likes"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    created_at: Mapped[Optional[datetime]] = mapped_column(default=utcnow)


@login.user_loader
def load_user(user_id: str) -> User | None:
    """Find the member that a session belongs to."""
    return db.session.get(User, int(user_id))
