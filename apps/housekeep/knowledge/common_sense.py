"""Where things belong, by common sense: the truth of the generated episodes, and of audits without human votes.

Written for this project, one line an object: its box in centimetres (width, depth, height) and the places where most
people would keep it. A place that is not named is wrong.
"""

from collections.abc import Mapping
from types import MappingProxyType

# Receptacles of a generated home that hold things, by room.
HOLDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "kitchen": (
            "counter", "sink", "fridge", "oven", "dishwasher", "bottom_cabinet", "top_cabinet", "table", "chair",
        ),
        "bathroom": ("sink", "toilet", "bathtub", "bottom_cabinet", "shelf", "carpet", "washer"),
        "bedroom": ("bed", "chest", "bottom_cabinet", "shelf", "chair", "carpet"),
        "living_room": ("sofa", "sofa_chair", "coffee_table", "shelf", "bottom_cabinet", "carpet"),
        "dining_room": ("table", "chair", "shelf", "bottom_cabinet"),
        "home_office": ("table", "office_chair", "shelf", "bottom_cabinet"),
        "corridor": ("chest", "shelf", "carpet"),
    }
)  # fmt: skip

_ROWS = """
bread_loaf      26 12 12  kitchen: counter bottom_cabinet table; dining_room: table
milk_carton     10 10 22  kitchen: fridge table; dining_room: table
butter_dish     16 10  8  kitchen: fridge counter table; dining_room: table
cereal_box      19  7 28  kitchen: counter bottom_cabinet top_cabinet table
flour_bag       14 10 20  kitchen: counter bottom_cabinet top_cabinet
sugar_jar       12 12 16  kitchen: counter bottom_cabinet top_cabinet table
olive_oil        8  8 28  kitchen: counter bottom_cabinet top_cabinet
pepper_mill      7  7 20  kitchen: counter top_cabinet table; dining_room: table
jam_jar          8  8 11  kitchen: fridge counter top_cabinet table; dining_room: table
yogurt_cup       8  8 10  kitchen: fridge
cheese_wedge    14 10  7  kitchen: fridge counter
egg_carton      24 12  8  kitchen: fridge counter
lettuce_head    16 16 14  kitchen: fridge counter
ketchup_bottle   8  8 20  kitchen: fridge counter table; dining_room: table
orange           8  8  8  kitchen: counter fridge table; dining_room: table
pear             8  8 10  kitchen: counter fridge table; dining_room: table
pasta_pack      22 10  6  kitchen: counter bottom_cabinet top_cabinet
tea_tin         10 10 14  kitchen: counter top_cabinet bottom_cabinet
saucepan        30 18 12  kitchen: oven counter bottom_cabinet sink dishwasher
frying_skillet  32 22  6  kitchen: oven counter bottom_cabinet sink dishwasher
stock_pot       26 26 20  kitchen: oven counter bottom_cabinet
baking_tray     32 24  4  kitchen: oven counter bottom_cabinet
colander        24 24 12  kitchen: sink counter bottom_cabinet top_cabinet
cutting_board   30 20  3  kitchen: counter bottom_cabinet sink
rolling_pin     30  6  6  kitchen: counter bottom_cabinet
electric_kettle 20 16 24  kitchen: counter
waffle_iron     26 22 12  kitchen: counter bottom_cabinet
hand_mixer      20 10 16  kitchen: counter bottom_cabinet top_cabinet
dinner_plate    24 24  3  kitchen: counter top_cabinet dishwasher sink table; dining_room: table bottom_cabinet
soup_bowl       16 16  7  kitchen: counter top_cabinet dishwasher sink table; dining_room: table bottom_cabinet
coffee_mug      11  8 10  kitchen: counter top_cabinet dishwasher sink table; dining_room: table; home_office: table
drinking_glass   7  7 13  kitchen: counter top_cabinet dishwasher sink table; dining_room: table bottom_cabinet
wine_glass       8  8 20  kitchen: counter top_cabinet table; dining_room: table bottom_cabinet shelf
cutlery_tray    30 22  6  kitchen: counter bottom_cabinet; dining_room: bottom_cabinet
soup_ladle      28  8  6  kitchen: counter sink dishwasher bottom_cabinet
dish_sponge     10  7  4  kitchen: sink counter
dish_soap        8  6 22  kitchen: sink counter bottom_cabinet
tea_towel       22 16  3  kitchen: counter sink oven
napkin_holder   14  8 12  kitchen: table counter; dining_room: table bottom_cabinet
table_runner    30 20  3  dining_room: table bottom_cabinet; kitchen: table
candle_stick    10 10 24  dining_room: table shelf bottom_cabinet; living_room: coffee_table shelf bottom_cabinet
fruit_basket    28 28 14  kitchen: counter table; dining_room: table
toothbrush      18  3  3  bathroom: sink bottom_cabinet shelf
toothpaste      17  5  4  bathroom: sink bottom_cabinet shelf
hand_soap        8  6 17  bathroom: sink bathtub shelf; kitchen: sink
shampoo_bottle   8  5 20  bathroom: bathtub shelf bottom_cabinet
shower_gel       8  5 21  bathroom: bathtub shelf bottom_cabinet
razor           14  4  3  bathroom: sink shelf bottom_cabinet bathtub
hair_comb       18  4  2  bathroom: sink shelf bottom_cabinet; bedroom: chest bottom_cabinet
bath_towel      30 22 10  bathroom: shelf bottom_cabinet bathtub washer
toilet_brush    12 12 30  bathroom: toilet bathtub
toilet_roll     12 12 10  bathroom: toilet shelf bottom_cabinet sink
rubber_duck     10  9  9  bathroom: bathtub shelf
laundry_powder  20 12 24  bathroom: washer bottom_cabinet shelf
cotton_swabs     9  9 10  bathroom: sink shelf bottom_cabinet
face_cream       7  7  6  bathroom: sink shelf bottom_cabinet; bedroom: chest bottom_cabinet
pillow          32 24 12  bedroom: bed; living_room: sofa
bed_blanket     32 26 10  bedroom: bed chest; living_room: sofa sofa_chair
pyjamas         30 22  6  bedroom: bed chest shelf
t_shirt         28 22  4  bedroom: chest shelf bed; bathroom: washer
wool_socks      16 10  6  bedroom: chest bed; bathroom: washer
alarm_clock     12  6 12  bedroom: bottom_cabinet shelf chest
jewelry_box     18 12 10  bedroom: chest bottom_cabinet shelf
teddy_bear      20 18 26  bedroom: bed shelf chair
bedside_lamp    18 18 30  bedroom: bottom_cabinet chest
slippers        24 20  8  bedroom: carpet; corridor: carpet shelf
rain_boots      28 22 28  corridor: carpet shelf
running_shoes   28 20 11  corridor: carpet shelf
umbrella        32  8  8  corridor: shelf chest carpet
house_keys      10  5  3  corridor: chest shelf
wallet          11  9  2  corridor: chest shelf; bedroom: bottom_cabinet chest
wool_scarf      24 16  6  corridor: chest shelf; bedroom: chest shelf
baseball_cap    26 18 11  corridor: chest shelf; bedroom: chest shelf
remote_control  18  5  3  living_room: coffee_table sofa bottom_cabinet sofa_chair
game_controller 16 11  6  living_room: coffee_table bottom_cabinet shelf sofa
photo_album     30 24  5  living_room: shelf coffee_table bottom_cabinet
novel           21 14  4  living_room: shelf coffee_table sofa_chair; bedroom: bottom_cabinet shelf; home_office: shelf
magazine        28 21  2  living_room: coffee_table shelf sofa sofa_chair; home_office: table shelf
chess_set       30 30  6  living_room: coffee_table shelf bottom_cabinet
jigsaw_puzzle   30 22  6  living_room: shelf coffee_table bottom_cabinet
flower_vase     14 14 28  living_room: coffee_table shelf bottom_cabinet; dining_room: table; kitchen: table
throw_cushion   30 28 12  living_room: sofa sofa_chair; bedroom: bed
music_box       14 11  9  living_room: shelf bottom_cabinet; bedroom: shelf chest bottom_cabinet
yoga_mat        32 12 12  living_room: carpet shelf; bedroom: carpet shelf
laptop          32 23  3  home_office: table; living_room: coffee_table; bedroom: bottom_cabinet
computer_mouse  11  6  4  home_office: table; living_room: coffee_table
desk_lamp       18 18 30  home_office: table shelf; bedroom: bottom_cabinet
stapler         15  5  6  home_office: table bottom_cabinet shelf; living_room: bottom_cabinet
notebook        24 17  2  home_office: table shelf bottom_cabinet; bedroom: bottom_cabinet; living_room: shelf
pencil_case     21  8  5  home_office: table shelf bottom_cabinet; living_room: shelf
pocket_calculator 15 8 2  home_office: table bottom_cabinet; living_room: bottom_cabinet
ring_binder     30 28  7  home_office: shelf bottom_cabinet table; living_room: shelf
dictionary      24 17  7  home_office: shelf table; living_room: shelf
"""

VAL = (
    "cereal_box", "cheese_wedge", "pear", "frying_skillet", "hand_mixer", "soup_bowl", "dish_soap", "candle_stick",
    "toothpaste", "shower_gel", "cotton_swabs", "pyjamas", "alarm_clock", "running_shoes", "wool_scarf", "magazine",
    "jigsaw_puzzle", "pencil_case", "yoga_mat",
)  # fmt: skip
TEST = (
    "jam_jar", "yogurt_cup", "saucepan", "cutting_board", "waffle_iron", "coffee_mug",
    "dish_sponge", "toothbrush", "shampoo_bottle", "bath_towel", "toilet_roll", "pillow", "t_shirt",
    "teddy_bear", "rain_boots", "remote_control", "novel", "flower_vase", "stapler", "laptop",
)  # fmt: skip


def _read(row: str) -> tuple[str, tuple[float, float, float], frozenset[str]]:
    """(object, box in metres, places) of a line of the table."""
    name, width, depth, height, places = row.split(maxsplit=4)
    found = set()
    for part in places.split(";"):
        room, _, receptacles = part.strip().partition(": ")
        for receptacle in receptacles.split():
            if receptacle not in HOLDERS[room]:
                raise ValueError(f"{name}: {room}|{receptacle} holds nothing")
            found.add(f"{room}|{receptacle}")
    return name, (int(width) / 100, int(depth) / 100, int(height) / 100), frozenset(found)


_TABLE = [_read(row) for row in _ROWS.strip().splitlines()]

OBJECTS: tuple[str, ...] = tuple(name for name, _, _ in _TABLE)
PLACES: tuple[str, ...] = tuple(f"{room}|{receptacle}" for room, holders in HOLDERS.items() for receptacle in holders)
PLACES_OF: Mapping[str, frozenset[str]] = MappingProxyType({name: places for name, _, places in _TABLE})
SIZE: Mapping[str, tuple[float, float, float]] = MappingProxyType({name: size for name, size, _ in _TABLE})
SPLITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"train": tuple(o for o in OBJECTS if o not in VAL and o not in TEST), "val": VAL, "test": TEST}
)


def belongs(object: str, place: str) -> bool:
    """Whether people keep `object` at `place` (`room|receptacle`); KeyError for an object that is not in the table.

    A place that the table does not know holds nothing.
    """
    return place in PLACES_OF[object]
