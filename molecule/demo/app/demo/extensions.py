"""The extensions, bound to the application by its factory."""

from flask_babel import Babel, lazy_gettext as _l
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

babel = Babel()
csrf = CSRFProtect()
db = SQLAlchemy()
login = LoginManager()
login.login_view = "auth.sign_in"
login.login_message = _l("Please sign in first.")
migrate = Migrate()
