"""Stable-Baselines3 is imported without TensorFlow and without its notice."""

import subprocess
import sys


def in_a_process_of_its_own(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_stable_baselines3_comes_without_tensorflow_and_silently() -> None:
    done = in_a_process_of_its_own(
        "import sys; from lmgt_core.quick_import import import_stable_baselines3 as load; "
        "package = load(); assert package is load(); print(package.DQN.__name__, 'tensorflow' in sys.modules)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "DQN False\n", "")
