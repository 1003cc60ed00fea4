"""The languages of the pages, and which one a visitor gets."""

from __future__ import annotations

from flask import has_request_context, request, session

LANGUAGES = ("en", "es")


def select_locale() -> str | None:
    """Prefer what the visitor chose over what the browser asks for."""
    if not has_request_context():
        return None
    return session.get("language") or request.accept_languages.best_match(LANGUAGES)
