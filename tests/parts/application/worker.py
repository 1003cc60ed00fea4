"""A background process that does nothing."""

import time

while True:
    time.sleep(60)
