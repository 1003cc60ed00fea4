"""Guestbook: a small Flask application."""

from __future__ import annotations

from flask import Flask, Response
from flask_babel import get_locale
from werkzeug.middleware.proxy_fix import ProxyFix

from demo import auth, cli, config, filters, health, pages, posts, probes
from demo.extensions import babel, csrf, db, login, migrate
from demo.identity import identity
from demo.languages import select_locale


def create_app() -> Flask:
    """Build the application from the environment and .env."""
    app = Flask(__name__)
    app.config.from_mapping(config.from_environment())
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
    _init_extensions(app)
    for module in (auth, health, pages, posts, probes):
        app.register_blueprint(module.blueprint)
    csrf.exempt(posts.blueprint)
    app.cli.add_command(cli.translate)
    app.cli.add_command(cli.work)
    app.add_template_filter(filters.when)
    app.context_processor(lambda: {"identity": identity(), "locale": get_locale()})
    app.after_request(_name_version)
    return app


def _init_extensions(app: Flask) -> None:
    babel.init_app(app, locale_selector=select_locale)
    csrf.init_app(app)
    db.init_app(app)
    login.init_app(app)
    migrate.init_app(app, db)


def _name_version(response: Response) -> Response:
    response.headers["X-Version"] = identity()["version"]
    return response
