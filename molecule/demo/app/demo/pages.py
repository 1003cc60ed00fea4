"""The guestbook's page, its pictures and its languages."""

from __future__ import annotations

from flask import (
    Blueprint,
    abort,
    current_app,
    redirect,
    render_template,
    send_from_directory,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from demo import uploads
from demo.extensions import db
from demo.forms import PostForm
from demo.languages import LANGUAGES
from demo.models import Post

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def index() -> str:
    """Show the newest posts, and to a member the form for another one."""
    return _page(PostForm() if current_user.is_authenticated else None)


@blueprint.post("/")
@login_required
def post() -> ResponseReturnValue:
    """Add a member's post."""
    form = PostForm()
    if not form.validate():
        return _page(form), 400
    image = uploads.store(form.image.data)
    db.session.add(Post(body=form.body.data, image=image, author_id=current_user.id))
    db.session.commit()
    return redirect(url_for("pages.index"))


@blueprint.get("/uploads/<name>")
def upload(name: str) -> ResponseReturnValue:
    """Serve a picture."""
    return send_from_directory(current_app.config["UPLOAD_FOLDER"], name)


@blueprint.get("/language/<code>")
def language(code: str) -> ResponseReturnValue:
    """Remember the language that a visitor chose."""
    if code not in LANGUAGES:
        abort(404)
    session["language"] = code
    return redirect(url_for("pages.index"))


def _page(form: PostForm | None) -> str:
    newest = db.session.scalars(db.select(Post).order_by(Post.id.desc()).limit(20))
    return render_template("index.html", posts=newest.all(), form=form)
