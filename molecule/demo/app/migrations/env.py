"""How Alembic reaches the application's database and models."""

from logging.config import fileConfig

from alembic import context
from flask import current_app

fileConfig(context.config.config_file_name, disable_existing_loggers=False)
migrate = current_app.extensions["migrate"]


def write_sql() -> None:
    """Print the statements (flask db upgrade --sql)."""
    url = migrate.db.engine.url.render_as_string(hide_password=False)
    _migrate(url=url, literal_binds=True)


def change_database() -> None:
    """Run the statements."""
    with migrate.db.engine.connect() as connection:
        _migrate(connection=connection)


def _migrate(**target: object) -> None:
    context.configure(target_metadata=migrate.db.metadata, **migrate.configure_args, **target)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
else:
    change_database()
