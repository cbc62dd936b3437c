"""What lies in a module of the user's, named in a file or on a command line: `my_module.describe`."""

import importlib
import os
import sys
from typing import Any

from lmgt_core.errors import UserError


def load_dotted(path: str, flag: str) -> Any:
    """What lies at the dotted `path`, of an installed module or a file in this folder; UserError naming `flag`."""
    module, _, name = path.replace(":", ".").rpartition(".")
    if not module:
        raise UserError(f"{flag} {path}: is no name in a module, like my_module.describe")
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise UserError(f"{flag} {path}: there is no module {error.name}; is its folder on PYTHONPATH?") from None
    except AttributeError:
        raise UserError(f"{flag} {path}: {module} has no {name}") from None
