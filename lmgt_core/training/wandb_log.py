"""Weights & Biases beside TensorBoard: `--wandb PROJECT`; WANDB_MODE=offline keeps everything in the run folder."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.extras import need
from lmgt_core.files import write_atomic

X = "decisions"  # what every curve is drawn over


def check_wandb() -> None:
    """UserError where nothing could be logged: the package is missing, or nobody is logged in and it is not offline."""
    need("--wandb", "wandb")
    import wandb

    if os.environ.get("WANDB_MODE", "online") == "online" and not wandb.login(prompt=False):
        raise UserError("--wandb: nobody is logged in; run `wandb login`, or set WANDB_MODE=offline")


class WandbLog:
    """The scalars of one seed as a run of W&B, in the group of the run folder; a resumed seed goes on with its run."""

    def __init__(self, project: str, folder: Path, seed: int, config: Mapping[str, Any]) -> None:
        self.project, self.folder, self.seed, self.config = project, folder, seed, config
        self._run: Any = None

    def scalar(self, name: str, value: float, step: int) -> None:
        """Adds one point of the curve `name`."""
        if self._run is None:
            self._open()
        self._run.log({name: float(value), X: step})

    def close(self) -> None:
        """Waits until everything is written; the next scalar goes on with the same run."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _open(self) -> None:
        import wandb

        try:
            self._run = wandb.init(
                project=self.project,
                dir=str(self.folder),
                id=self._id(),
                resume="allow",
                group=self.folder.name,
                name=f"{self.folder.name} seed {self.seed}",
                config={**self.config.get("settings", {}), "seed": self.seed, "app": self.config.get("app")},
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
            )
        except wandb.Error as error:
            raise UserError(f"--wandb {self.project}: {' '.join(str(error).split())}") from None
        self._run.define_metric("*", step_metric=X)

    def _id(self) -> str:
        """The seed's name on the server, drawn once."""
        file = self.folder / "seeds" / str(self.seed) / "wandb_id.txt"
        if not file.exists():
            write_atomic(file, secrets.token_hex(8))
        return file.read_text()
