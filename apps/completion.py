"""`lmgt completion bash|zsh|fish`: a script that lets a shell complete commands and flags.

It is written from the table of commands, once; no program is started while somebody types.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from tyro.conf import Positional

SCRIPT = """_lmgt() {{
  local options="" before="${{COMP_WORDS[*]:1:COMP_CWORD-1}}"
  case "$before " in
{cases}
  esac
  COMPREPLY=($(compgen -W "$options" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _lmgt lmgt
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


@dataclass(frozen=True)
class CompletionConfig:
    """Print a completion script: source <(lmgt completion bash), or lmgt completion fish | source."""

    shell: Positional[Literal["bash", "zsh", "fish"]]
    """The shell it is for."""


def main(config: CompletionConfig) -> None:
    """Prints the script."""
    print(script(config.shell), end="")


def script(shell: str) -> str:
    """The script for bash, zsh or fish."""
    if shell == "fish":
        return "".join(map(_fish, next_words().items()))
    cases = "\n".join(f'    {_typed(words, after)}) options="{" ".join(after)}" ;;' for words, after in _ordered())
    return (ZSH if shell == "zsh" else "") + SCRIPT.format(cases=cases)


def next_words() -> Mapping[tuple[str, ...], list[str]]:
    """What may follow the words that were typed: the next words of commands, or the flags of a whole one."""
    from apps.cli import COMMANDS, load

    found: dict[tuple[str, ...], list[str]] = {}
    for command in COMMANDS:
        for i, word in enumerate(command.words):
            after = found.setdefault(command.words[:i], [])
            if word not in after:
                after.append(word)
        found[command.words] = _flags(load(command.config))
    return found


def _ordered() -> list[tuple[tuple[str, ...], list[str]]]:
    """The longest first: a shell takes the first case that matches."""
    return sorted(next_words().items(), key=lambda item: -len(item[0]))


def _typed(words: tuple[str, ...], after: list[str]) -> str:
    """The pattern of what was typed before: anything may stand between a whole command and a flag of it."""
    return f'"{" ".join(words)} "' + ("*" if after[0].startswith("--") else "")


def _flags(config: type) -> list[str]:
    named = [f for f in fields(config) if "Positional" not in str(f.type)]
    flags = [f"--{f.name.replace('_', '-')}" for f in named]
    return [*flags, *(f"--no-{f.name.replace('_', '-')}" for f in named if f.type in (bool, "bool")), "--help"]


def _fish(item: tuple[tuple[str, ...], list[str]]) -> str:
    """The lines for what may follow some words."""
    words, after = item
    typed = " ".join(["lmgt", *words])
    if after[0].startswith("--"):
        condition = f"string match -q -- '{typed}*' (commandline -opc | string join ' ')"
        return "".join(f'complete -c lmgt -n "{condition}" -l {flag.removeprefix("--")}\n' for flag in after)
    condition = f"test (commandline -opc | string join ' ') = '{typed}'"
    return f"complete -c lmgt -f -n \"{condition}\" -a '{' '.join(after)}'\n"
