"""`lmgt atari ask`: one picture and one action to a judge, and everything that is said about them."""

from typing import Any

from apps.atari_vision.config import AskConfig
from apps.atari_vision.domain import AtariDomain, guided, world_captioner
from apps.atari_vision.pictures import read_picture
from apps.atari_vision.worlds import World, world
from captioners.captioner import Image
from captioners.memory import FrameMemory
from lmgt_core.audit.commands import answer_lines, heard
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.judging.description import Description
from lmgt_core.judging.registry import NONE
from lmgt_core.judging.uncaptioned import UNCAPTIONED
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.tables import write_rows

ORACLES = ("oracle", "noisy-oracle")


def main(config: AskConfig) -> dict[str, Any]:
    """Asks, prints caption, prompt, reply, probabilities, verdict and shift, and returns them."""
    made, memory = world(config.env), FrameMemory()
    made.action(config.action)
    rule = make_rule(config.rule, config.scale, 1)
    image = read_picture(config.frame)
    _check_oracle(config)
    captioner = world_captioner(config.captioner, made, memory)
    domain = AtariDomain(made, captioner, memory, prompts=config.prompts)
    guidance = guided(domain, JudgeConfig(config.judge, strategy=config.strategy), None)
    if guidance.judge is None:
        raise UserError(f"--judge {config.judge}: gives no answers; name a judge")
    described = domain.read(str(config.frame), config.action)
    prompt = guidance.template.render(described)
    judgment, judge = guidance.answer(prompt)
    failure = described.facts.get(UNCAPTIONED, "")
    answer = {
        "frame": config.frame.as_posix(),
        "captioner": "none" if captioner is None else captioner.id,
        "caption": None if captioner is None or failure else described.state,
        "uncaptioned": failure,
        **heard(judge, prompt, judgment, float(rule.delta([judgment])[0])),
    }
    print("\n".join([*picture_lines(config, image, made, described), *answer_lines(answer)]))
    if config.json is not None:
        write_rows(config.json, [answer])
    return answer


def _check_oracle(config: AskConfig) -> None:
    """UserError for an oracle that would look behind the picture: a file has no game's memory."""
    if config.judge.partition(":")[0] in ORACLES and config.captioner.strip() == NONE:
        raise UserError(
            f"--judge {config.judge}: looks frames up in a running game's memory, and a file has none; give it a "
            "--captioner whose words it can read, or take another judge"
        )


def picture_lines(config: AskConfig, image: Image, made: World, described: Description) -> list[str]:
    """What was shown, for people: the file, its size, and its caption or why there is none."""
    height, width = image.shape[:2]
    usual = "" if (height, width) == made.shape else f"; frames of {made.name} have {made.shape[1]}x{made.shape[0]}"
    lines = [f"frame    {config.frame} ({width}x{height} pixels{usual})"]
    if failure := described.facts.get(UNCAPTIONED):
        return [*lines, f"caption  none: {failure}"]
    return [*lines, "caption  none: the judge sees the picture" if described.images else f"caption  {described.state}"]
