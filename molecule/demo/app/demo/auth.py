"""Registration, sign-in and sign-out."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import login_user, logout_user

from demo.extensions import db
from demo.forms import RegistrationForm, SignInForm
from demo.mail import send_mail
from demo.models import User

blueprint = Blueprint("auth", __name__)


@blueprint.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """Make a visitor a member, and welcome them by mail."""
    form = RegistrationForm()
    if not form.validate_on_submit():
        return render_template("form.html", title=_("Register"), form=form)
    user = User(name=form.name.data, email=form.email.data)
    user.set_password(form.password.data)
    db.session.add(user)
    db.session.commit()
    send_mail(user.email, _("Welcome, %(name)s", name=user.name), _("Your account is ready."))
    flash(_("Welcome! You can sign in now."))
    return redirect(url_for("auth.sign_in"))


@blueprint.route("/login", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Sign a member in."""
    form = SignInForm()
    if form.validate_on_submit():
        user = db.session.scalar(db.select(User).filter_by(name=form.name.data))
        if user and user.has_password(form.password.data):
            login_user(user)
            return redirect(url_for("pages.index"))
        flash(_("Wrong name or password."))
    return render_template("form.html", title=_("Sign in"), form=form)


@blueprint.get("/logout")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    logout_user()
    return redirect(url_for("pages.index"))
