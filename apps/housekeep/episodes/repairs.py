"""What of an episode was read although it is not written as it should be: each repair is counted, or refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.housekeep.episodes.values import FieldError


@dataclass
class Repairs:
    """The repairs of one episode, as lines `FIELD: what was read in place of what`.

    `strict` refuses every one of them.
    """

    strict: bool = False
    made: dict[str, None] = field(default_factory=dict)  # an ordered set

    def make(self, name: str, wrong: str, instead: str) -> None:
        """Notes that `instead` is read of the field `name`; FieldError saying what is `wrong` under `strict`."""
        if self.strict:
            raise FieldError(name, wrong)
        self.repeat([f"{name}: {instead}"])

    def repeat(self, made: Sequence[str]) -> None:
        """Notes repairs that were made before, to something that this episode shares."""
        self.made.update(dict.fromkeys(made))
