"""The application as a WSGI server loads it."""

from demo import create_app

app = create_app()
