"""Which version this is, and whether it says that it is well."""

VERSION = "v1"
HEALTHY = True
