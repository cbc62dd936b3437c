"""Tests what installs alone: the core's wheel, in a fresh environment of each Python from 3.11 to 3.13 that is here.

There its tests are run, and the first guided training of docs/first-environment.md. `make test-core` calls it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
QUICK = ("cache", "guidance", "judging", "rules")  # of tests/lmgt_core
SLOWER = ("audit", "report", "training")  # on the newest Python only
IMPORT = "import time; begun = time.process_time(); from lmgt_core import guide; print(time.process_time() - begun)"


def python(version: str) -> str | None:
    """The interpreter of that version; None where the machine has none. pyenv gives it where it knows it."""
    found = shutil.which(f"python{version}")
    asked = [found, "-c", "import sys; print(sys.executable)"] if found else ["false"]
    pyenv = os.environ | {
        "PYENV_VERSION": ":".join([version, *os.environ.get("PYENV_VERSION", "").split(":")]).strip(":")
    }
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=pyenv)
    return done.stdout.strip() if done.returncode == 0 else None


def test(version: str, executable: str, wheel: Path, folder: Path, slower: bool) -> None:
    """Installs the core into a fresh environment of this Python and tests it there."""
    begun, venv = time.perf_counter(), folder / f"venv-{version}"
    inside = str(venv / "bin" / "python")
    uv("venv", "--python", executable, str(venv))
    before = size(venv)
    uv("pip", "install", "--python", inside, str(wheel))
    print(f"  Python {version}: the core takes {(size(venv) - before) / 1e6:.0f} MB")
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    took = min(float(out([inside, "-c", IMPORT], folder, environment)) for _ in range(3))
    print(f"  Python {version}: from lmgt_core import guide takes {took:.2f} s of processor")
    print(f"  Python {version}: {out([inside, '-c', first_training()], folder, environment)}", flush=True)
    uv("pip", "install", "--python", inside, "pytest", "pytest-timeout", "pytest-xdist", "hypothesis")
    folders = [f"tests/lmgt_core/{name}" for name in (*QUICK, *(SLOWER if slower else ()))]
    pytest = [inside, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", *folders]
    subprocess.run(pytest, check=True, cwd=folder, env=environment)
    print(f"  Python {version}: {time.perf_counter() - begun:.0f} s", flush=True)
    shutil.rmtree(venv)


def first_training() -> str:
    """The program of docs/first-environment.md."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/first-environment.md").read_text(), flags=re.S)
    return str(program)


def out(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """The last line that a command prints."""
    done = subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def uv(*words: str) -> None:
    """Runs uv, which lies beside this interpreter."""
    subprocess.run([str(Path(sys.executable).parent / "uv"), "--quiet", *words], check=True, cwd=ROOT)


def size(folder: Path) -> int:
    """Bytes of the files in `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        uv("build", "--wheel", "--out-dir", str(folder), str(ROOT))
        (wheel,) = folder.glob("*.whl")
        shutil.copytree(ROOT / "tests", folder / "tests")  # without the sources: what is imported is the wheel
        shutil.copy(ROOT / "pyproject.toml", folder)
        here = {version: python(version) for version in VERSIONS}
        for version, executable in here.items():
            if executable is None:
                print(f"  Python {version}: skipped, this machine has no python{version}", flush=True)
            else:
                newest = [v for v in VERSIONS if here[v]][-1]
                test(version, executable, wheel, folder, slower=version == newest)


if __name__ == "__main__":
    main()
