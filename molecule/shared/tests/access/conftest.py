"""What the tests of the ways into a host have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ways import can_log_in, everywhere, inside, ways_in


@pytest.fixture
def unchanged() -> Iterator[None]:
    """After the test, each host is as it was before, the administrator gets in, and nothing is pending."""
    before = ways_in()
    yield
    assert ways_in() == before
    assert all(everywhere(can_log_in))
    assert inside("cd /var/lib/selfhost/guard; ls -d armed reverting 2>/dev/null || true") == ["", ""]
    inside("! systemctl is-active --quiet selfhost-guard.timer")
