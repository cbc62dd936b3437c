import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from lmgt_core import doctor
from lmgt_core.doctor import DoctorConfig, diagnose, main

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "python",
    "numpy",
    "torch",
    "CUDA",
    "mujoco",
    "gymnasium",
    "stable-baselines3",
    "transformers",
    "tensorflow",
    "tf-agents",
    "recsim",
    "ale-py",
    "habitat-sim",
    "ffmpeg",
    "OpenGL",
    "MiniLM weights",
    "SmolLM2 weights",
}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The packages that doctor shall see."""
    packages = {"numpy": "1.26.4", "torch": "2.13.0+cpu"}

    def version(name: str) -> str:
        if name not in packages:
            raise PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(doctor, "version", version)
    return packages


def row(part: str) -> dict[str, str]:
    return next(row for row in diagnose() if row["part"] == part)


def test_every_part_says_what_it_is_for() -> None:
    rows = diagnose()
    assert {row["part"] for row in rows} >= PARTS
    assert all(row["for"] and set(row) == {"part", "for", "installed", "status", "supply"} for row in rows)


def test_a_missing_part_says_how_to_supply_it(installed: dict[str, str]) -> None:
    assert row("mujoco") == {
        "part": "mujoco",
        "for": "the Housekeep world",
        "installed": "missing",
        "status": "extra housekeep",
        "supply": "make setup, or pip install 'lmgt[housekeep]'",
    }
    assert row("numpy")["status"] == "ok" and row("numpy")["supply"] == ""


def test_an_optional_part_may_be_missing(installed: dict[str, str]) -> None:
    assert row("habitat-sim")["status"] == "optional"


def test_a_version_that_breaks_others_is_not_ok_where_they_are(installed: dict[str, str]) -> None:
    installed["numpy"] = "2.1.0"
    assert row("numpy")["status"] == "ok"
    installed["recsim"] = "0.2.4"
    assert row("numpy")["status"] == "1.26 is needed"
    assert row("numpy")["installed"] == "2.1.0"


def test_any_of_the_alternatives_will_do(installed: dict[str, str]) -> None:
    assert row("tensorflow")["status"] == "extra slateq"
    installed["tensorflow"] = "2.21.0"
    assert row("tensorflow")["installed"] == "2.21.0"


def test_what_the_core_lacks_is_to_mend(installed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    main(DoctorConfig())
    mend, extras = capsys.readouterr().out.splitlines()[-2:]
    assert mend == "to mend: scipy, gymnasium, matplotlib"
    assert extras.startswith("extras that are not all here: housekeep, sb3, transformers, llamacpp, ray, bundled")


def test_the_core_alone_is_complete(installed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    installed.update(scipy="1.17", gymnasium="1.2", matplotlib="3.10")
    main(DoctorConfig())
    assert "the core is complete" in capsys.readouterr().out


def test_the_rows_are_written_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = main(DoctorConfig(json=tmp_path / "doctor.json"))
    assert json.loads((tmp_path / "doctor.json").read_text()) == {"rows": rows}
    assert "LMGT on this machine" in capsys.readouterr().out


def test_nothing_heavy_is_imported() -> None:
    script = """
import sys
from lmgt_core.doctor import diagnose
diagnose()
heavy = {"torch", "tensorflow", "transformers", "mujoco", "matplotlib", "gymnasium", "scipy", "imageio_ffmpeg"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
