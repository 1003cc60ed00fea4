"""flask translate: the catalogues of the translations; flask work: a background process."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import click
from babel.messages.frontend import CommandLineInterface
from flask.cli import AppGroup

from demo.config import ROOT
from demo.version import VERSION

CATALOGUES = ROOT / "demo" / "translations"

translate = AppGroup("translate", help="Manage the translations.")


@translate.command("compile")
def compile_catalogues() -> None:
    """Compile every language's catalogue."""
    _pybabel("compile", "-d", CATALOGUES)


@translate.command("update")
def update_catalogues() -> None:
    """Bring new texts of the sources into every language's catalogue."""
    _merge_sources("update")


@translate.command("init")
@click.argument("language")
def init_catalogue(language: str) -> None:
    """Begin the catalogue of another LANGUAGE."""
    _merge_sources("init", "-l", language)


def _merge_sources(command: str, *options: str) -> None:
    with TemporaryDirectory() as folder:
        template = Path(folder) / "messages.pot"
        _pybabel(
            "extract", "-F", ROOT / "babel.cfg", "-k", "_l", "--no-location", "-o", template, ROOT
        )
        _pybabel(command, "-i", template, "-d", CATALOGUES, *options)


def _pybabel(*arguments: object) -> None:
    if CommandLineInterface().run(["pybabel", *map(str, arguments)]):
        raise click.ClickException(f"pybabel {arguments[0]} failed")


@click.command("work")
@click.option("--seconds", default=0.2, help="How long a job takes.")
def work(seconds: float) -> None:
    """Do one job after the other; the one at work is finished before the end."""
    left = Event()
    signal.signal(signal.SIGTERM, lambda *_: left.set())
    while not left.is_set():
        click.echo(f"{VERSION} begins")
        time.sleep(seconds)
        click.echo(f"{VERSION} is done")
