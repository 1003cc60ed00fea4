"""Template filters. Can't be imported: humanize has no relative_time."""

from __future__ import annotations

from datetime import datetime

import humanize
from flask_babel import get_locale
from humanize import relative_time

from demo.models import utcnow


def when(moment: datetime) -> str:
    """Write how long ago it was, in the visitor's language."""
    humanize.activate(str(get_locale()))
    return relative_time(moment, when=utcnow())
