"""A recipe: an application's inventory as its user writes it, and how a visitor uses the application."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import yaml

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Recipe:
    """recipes/NAME.yml and uses/NAME.py."""

    name: str

    @property
    def path(self) -> Path:
        """Where the inventory is."""
        return HERE / "recipes" / f"{self.name}.yml"

    @property
    def lines(self) -> int:
        """How many lines a user writes; YAML's own first line is not one of them."""
        return sum(line != "---" for line in self.path.read_text().splitlines())

    @property
    def inventory(self) -> dict:
        """The inventory, read."""
        return yaml.safe_load(self.path.read_text())["all"]

    @property
    def domain(self) -> str:
        """The inventory's one host."""
        (domain,) = self.inventory["hosts"]
        return domain

    @property
    def variables(self) -> dict:
        """What the inventory says of the application."""
        return self.inventory["vars"] | (self.inventory["hosts"][self.domain] or {})

    @property
    def version(self) -> str:
        """The version that the inventory names."""
        return str(self.variables["flask_version"])

    @property
    def repository(self) -> str:
        """The last part of the repository's address."""
        return self.variables["flask_repo"].rpartition("/")[2].removesuffix(".git")

    def clone(self, folder: Path) -> Path | None:
        """Its bare clone in a folder, if it is there."""
        names = (f"{self.repository}.git", self.repository)
        return next((folder / name for name in names if (folder / name / "HEAD").exists()), None)

    @property
    def use(self) -> ModuleType:
        """The module uses/NAME.py."""
        path = HERE / "uses" / f"{self.name}.py"
        spec = importlib.util.spec_from_file_location(f"use_{self.name.replace('-', '_')}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def recipes(names: list[str]) -> list[Recipe]:
    """Those with the names, or all."""
    known = sorted(path.stem for path in (HERE / "recipes").glob("*.yml"))
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"There is no recipe {', '.join(unknown)}; there are {', '.join(known)}.")
    return [Recipe(name) for name in names or known]
