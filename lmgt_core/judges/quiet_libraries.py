"""Keeps libraries' notices off the screen: what a user cannot act upon is no news."""

import importlib
import logging
import os
import tempfile
import warnings
from typing import Any

NOISY = ("torchao", "torch.utils._pytree", "transformers", "huggingface_hub", "bitsandbytes", "httpx2", "httpcore2")


def quiet_libraries() -> None:
    """Silences warnings and progress bars of the libraries under judges and captioners, errors apart, from here on.

    Their own switches win: TRANSFORMERS_VERBOSITY, HF_HUB_VERBOSITY, HF_HUB_DISABLE_PROGRESS_BARS.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else a fork is commented upon
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # SDL and Qt miss it on the standard error
    for name in NOISY:
        if logging.getLogger(name).level < logging.ERROR and not os.environ.get("TORCH_LOGS"):
            logging.getLogger(name).setLevel(logging.ERROR)
        library = name.partition(".")[0]
        warnings.filterwarnings("ignore", module=rf"{library}(\.|$)")
        warnings.filterwarnings("ignore", category=SyntaxWarning, module=rf".*[/\\]{library}[/\\]")  # first compiled


def without_progress_bars() -> None:
    """Switches off the bars of transformers, which reads no variable for them."""
    library: Any = importlib.import_module("transformers.utils.logging")  # its functions have no types
    library.disable_progress_bar()
    if os.environ.get("TRANSFORMERS_VERBOSITY") == "error":
        library.set_verbosity_error()
