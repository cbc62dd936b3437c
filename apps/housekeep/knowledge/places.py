"""The names of objects and places, as the data writes them and as people say them."""

NO_TOP = "_no_top"  # how the data marks a cabinet whose top is out of use; nothing that people say


def place_name(receptacle: str, room: str) -> str:
    """`room|receptacle`, the name under which people voted; the room is "" where there is none."""
    return f"{room}|{receptacle}"


def split_place(place: str) -> tuple[str, str]:
    """(receptacle, room) of `room|receptacle`; ValueError for anything else."""
    room, bar, receptacle = place.partition("|")
    if not bar or not receptacle:
        raise ValueError(f"{place!r} is not room|receptacle")
    return receptacle, room


def object_words(category: str) -> str:
    """`set-top_box` -> set-top box."""
    return category.replace("_", " ")


def receptacle_words(category: str) -> str:
    """`bottom_cabinet_no_top` -> bottom cabinet."""
    return category.removesuffix(NO_TOP).replace("_", " ")


def room_words(room: str) -> str:
    """`living_room` -> living room; "" where there is none."""
    return room.replace("_", " ").replace("childs", "child's")


def place_words(receptacle: str, room: str) -> str:
    """`bottom cabinet in the kitchen`; without a room, only `window`."""
    where = receptacle_words(receptacle)
    return f"{where} in the {room_words(room)}" if room else where
