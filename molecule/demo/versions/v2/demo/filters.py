"""Template filters."""

from __future__ import annotations

from datetime import datetime

import humanize
from flask_babel import get_locale

from demo.models import utcnow


def when(moment: datetime) -> str:
    """Write how long ago it was, in the visitor's language."""
    humanize.activate(str(get_locale()))
    return humanize.naturaltime(moment, when=utcnow())
