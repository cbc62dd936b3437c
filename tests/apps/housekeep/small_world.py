"""A few objects and places with labels that anybody would agree with, for the tests of judges."""

import numpy as np

from apps.housekeep.describe import Decision, describe
from apps.housekeep.knowledge.labels import Labels
from lmgt_core.judging.prompt import Prompt, PromptTemplate

PLACES = (
    "kitchen|counter",
    "kitchen|top_cabinet",
    "bathroom|sink",
    "bathroom|bottom_cabinet",
    "bedroom|bed",
    "bedroom|shelf",
)
KITCHEN = ("plate", "frying_pan", "tea_pot", "fork", "coffee_mug", "spice_jar", "bread_knife", "salad_bowl")
BATHROOM = ("soap_bar", "toothbrush", "shampoo", "bath_towel", "shaving_foam", "toilet_paper", "hand_cream", "comb")
BEDROOM = ("pillow", "blanket", "alarm_clock", "pyjamas", "teddy_bear", "night_lamp", "novel", "bathrobe")
HOMES = {"kitchen": KITCHEN, "bathroom": BATHROOM, "bedroom": BEDROOM}
TEMPLATE = PromptTemplate("", "{state} {action}")


def small_labels(share: float = 1.0) -> Labels:
    """Every object belongs at every place of its room; the last of each room are val (1) and test (2)."""
    objects = tuple(name for names in HOMES.values() for name in names)
    correct = np.array([[name in HOMES[place.split("|")[0]] for name in objects] for place in PLACES])
    parts = {"train": slice(0, 5), "val": slice(5, 6), "test": slice(6, 8)}
    splits = {split: tuple(o for names in HOMES.values() for o in names[part]) for split, part in parts.items()}
    return Labels("votes", objects, PLACES, correct * share, correct, splits)


def question(kind: str, object: str, receptacle: str, room: str) -> Prompt:
    """The prompt for one pick or place."""
    return TEMPLATE.render(describe(Decision(kind, object, receptacle, room)))
