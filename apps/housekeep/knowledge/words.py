"""Skills in words, for people."""

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.places import object_words, place_words
from apps.housekeep.skills import Kind, Skill


def skill_words(episode: Episode, skill: Skill) -> str:
    """`skill` as people say it: `put the toaster on the counter in the kitchen`."""
    if skill.kind is Kind.LOOK:
        return "look around"
    if skill.kind is Kind.EXPLORE:
        return "explore the nearest unseen part"
    receptacle = episode.receptacles[skill.receptacle]
    where = place_words(receptacle.category, receptacle.room)
    if skill.kind is Kind.GO:
        return f"go to the {where}"
    thing = object_words(episode.items[skill.item].category)
    return f"pick up the {thing} from the {where}" if skill.kind is Kind.PICK else f"put the {thing} on the {where}"
