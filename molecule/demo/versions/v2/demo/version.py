"""The version that is shown on every page."""

VERSION = "v2"
