"""The forms of the pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileAllowed, FileField
from wtforms import PasswordField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Regexp, ValidationError

from demo.extensions import db
from demo.models import User

IMAGES = ("gif", "jpeg", "jpg", "png", "webp")


class PostForm(FlaskForm):
    """A new post, with a picture or without."""

    body = TextAreaField(_l("Your message"), [InputRequired(), Length(max=500)])
    image = FileField(_l("A picture"), [FileAllowed(IMAGES)])


class SignInForm(FlaskForm):
    """A member's name and password."""

    name = StringField(_l("Name"), [InputRequired()])
    password = PasswordField(_l("Password"), [InputRequired()])


class RegistrationForm(FlaskForm):
    """What makes a visitor a member."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=64)])
    email = StringField(
        _l("Email"), [InputRequired(), Length(max=120), Regexp(r"[^@\s]+@[^@\s]+\Z")]
    )
    password = PasswordField(_l("Password"), [InputRequired()])

    def validate_name(self, field: StringField) -> None:
        """Refuse a name that is taken."""
        if db.session.scalar(db.select(User).filter_by(name=field.data)):
            raise ValidationError(_l("This name is taken."))
