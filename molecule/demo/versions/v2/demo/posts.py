"""The API, by which a visitor leaves a post without a session."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func

from demo.extensions import db
from demo.identity import identity
from demo.models import Like, Post

blueprint = Blueprint("posts", __name__, url_prefix="/posts")


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Store the form's body as a visitor's post."""
    body = request.form.get("body", "").strip()
    if not 1 <= len(body) <= 500:
        return {"error": "body must have 1 to 500 characters"}, 400
    post = Post(body=body)
    db.session.add(post)
    db.session.commit()
    return {"id": post.id, **identity()}, 201


@blueprint.post("/<int:post_id>/like")
def like(post_id: int) -> ResponseReturnValue:
    """Add a like to a post."""
    db.session.add(Like(post_id=db.get_or_404(Post, post_id).id))
    db.session.commit()
    return redirect(url_for("pages.index"))


@blueprint.get("/count")
def count() -> ResponseReturnValue:
    """Count every post."""
    return {"count": db.session.scalar(db.select(func.count(Post.id))), **identity()}
