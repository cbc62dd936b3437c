"""`lmgt models [list|install|verify|remove] [NAME]`: language models that the project knows by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from lmgt_core.errors import UserError
from lmgt_core.models.catalogue import MODELS, KnownModel, known_model
from lmgt_core.models.download import install, pieces_folder, remove
from lmgt_core.models.store import model_path, models_folder, sha256_of, wrong_part
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows


@dataclass(frozen=True)
class ModelsConfig:
    """List the models that are known by name, install one, verify what is installed, or remove it."""

    action: Positional[Literal["list", "install", "verify", "remove"]] = "list"
    """list, install, verify or remove."""
    name: Positional[str] = ""
    """The model; verify without a name looks at all that are installed."""
    json: Path | None = None
    """Write the list's rows there as well."""


def main(config: ModelsConfig) -> list[dict[str, Any]]:
    """Does what is asked; returns a row a model."""
    if config.action in ("install", "remove") and not config.name:
        raise UserError(f"lmgt models {config.action}: name a model; there are: {', '.join(MODELS)}")
    chosen = [known_model(config.name)] if config.name else list(MODELS.values())
    if config.action == "install":
        path = install(chosen[0])
        print(f"{path}  use it with --judge gguf:{chosen[0].name}")
    elif config.action == "verify":
        verify([m for m in chosen if config.name or model_path(m)])
    elif config.action == "remove":
        print(f"{chosen[0].name}: {remove(chosen[0]) / 1e6:,.0f} MB freed in {models_folder()}")
    rows = [row(model) for model in chosen]
    if config.action == "list":
        print_table(rows, title=f"models in {models_folder()}")
    if config.json is not None:
        write_rows(config.json, rows)
    return rows


def row(model: KnownModel) -> dict[str, Any]:
    """A model's line in the list."""
    path = model_path(model)
    size = path.stat().st_size if path is not None else model.size
    begun = pieces_folder(model).is_dir() or (models_folder() / f"{model.file}.part").exists()
    return {
        "name": model.name,
        "MB": round(size / 1e6) or None,
        "licence": model.licence,
        "sha256": model.sha256[:12],
        "audits": model.found,
        "installed": "yes" if path is not None else "begun" if begun else "no",
    }


def verify(models: list[KnownModel]) -> None:
    """Hashes the files of `models`; UserError for one that is not there or not the right one."""
    for model in models:
        path = model_path(model)
        if path is None:
            raise UserError(f"{model.name} is not installed; lmgt models install {model.name}")
        with progress("bytes", path.stat().st_size) as bar:
            digest = sha256_of(path, bar.advance)
        if digest != model.sha256:
            raise UserError(
                f"{path}: {wrong_part(model)} is wrong (its SHA-256 is {digest[:12]}..., not {model.sha256[:12]}...); "
                f"lmgt models remove {model.name}, then install it again"
            )
        print(f"{model.name}: {path.name} is what it should be")
