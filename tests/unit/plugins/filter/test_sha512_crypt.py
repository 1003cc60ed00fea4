# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.filter.sha512_crypt import sha512_crypt

# as `openssl passwd -6 -salt SALT PASSWORD` prints them
HASHES = [
    ("Hello world!", "saltstring", "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"),
    ("p:%4$#'\"@ ü", "3f2a9c1b00112233", "Y3yn7Brhqj.n5.k4vF2DVnBUOeuYoWHG4Xwj7J.3d03JtJEV74dBZhNH00g55PNRLyAWy888w/cPUMk62sISq1"),
    ("a" * 70, "0123456789abcdef", "mRwqRcLLEM6/z//hG0oNLJQMdAT0NQKrIPWDpF2IYUcosPuPd.lt9oaIpHqqaJVnsmFXDRzDkj1v1QXfYBEI31"),
]


@pytest.mark.parametrize("password, salt, hashed", HASHES)
def test_hashes_as_linux_does(password, salt, hashed):
    assert sha512_crypt(password, salt) == "$6$%s$%s" % (salt, hashed)
