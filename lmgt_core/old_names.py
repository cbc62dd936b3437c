"""Module names of before 0.2, for packages and scripts that import them; each tells its present name once."""

import importlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

NAMES: Mapping[str, str] = {
    "description": "judging.description",
    "judge": "judging.judge",
    "judgment": "judging.judgment",
    "prompt": "judging.prompt",
    "registry": "judging.registry",
    "strategies": "judging.strategies",
    "verdict_parser": "judging.verdict_parser",
    "judges.hf_scoring": "judges.huggingface.scoring",
    "gate": "audit.gate",
    "shift": "rules.make",
    "shifter": "guidance.shift_source",
    "wrappers": "guidance.wrappers",
    "run_log": "training.run_log",
}


class OldNames(MetaPathFinder, Loader):
    """Finds `lmgt_core.OLD` and gives the module of its present name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for an old name, None for any other."""
        known = fullname.removeprefix("lmgt_core.") in NAMES and fullname.startswith("lmgt_core.")
        return ModuleSpec(fullname, self) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of the present name, imported."""
        now = f"lmgt_core.{NAMES[spec.name.removeprefix('lmgt_core.')]}"
        warnings.warn(f"{spec.name} is now {now}", DeprecationWarning, stacklevel=2)
        module = ModuleType(spec.name, importlib.import_module(now).__doc__)
        module.__dict__.update({k: v for k, v in vars(importlib.import_module(now)).items() if k[:2] != "__"})
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: the module has run already, under its present name."""


def install() -> None:
    """Makes the old names importable."""
    if not any(isinstance(finder, OldNames) for finder in sys.meta_path):
        sys.meta_path.append(OldNames())
