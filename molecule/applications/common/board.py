"""What the applications have in common: posts, and which version answers."""

from __future__ import annotations

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func, text
from version import HEALTHY, VERSION

db = SQLAlchemy()
blueprint = Blueprint("board", __name__)


class Post(db.Model):
    """A line, and what it is about."""

    __tablename__ = "posts"

    id = db.Column(db.Integer, primary_key=True)
    body = db.Column(db.String(500), nullable=False)
    subject = db.Column(db.String(64), nullable=False, default="of the first version")


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Answer 200 where the database answers."""
    db.session.execute(text("SELECT 1"))
    return {"version": VERSION}, 200 if HEALTHY else 500


@blueprint.post("/posts")
def create() -> ResponseReturnValue:
    """Store the form's body."""
    post = Post(body=request.form["body"])
    db.session.add(post)
    db.session.commit()
    return {"id": post.id, "version": VERSION}, 201


@blueprint.get("/posts/count")
def count() -> ResponseReturnValue:
    """Count every post."""
    return {"count": db.session.scalar(db.select(func.count(Post.id))), "version": VERSION}


def add_board(app: Flask) -> None:
    """Gives an application its pages and its database."""
    db.init_app(app)
    app.register_blueprint(blueprint)
