"""The drawn mini set: captions of a scene, in English and in Chinese; five each, as Flickr30k has.

A form of sentence makes a caption of a scene, picking among synonyms; the fields that it leaves out are "".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace

from helpers.drawn.scenes import Scene

Choice = Callable[[Sequence[str]], str]
Form = Callable[[Scene, Choice], str]
MINOR = ("land", "water", "light", "bird")  # fields that people leave out


def captions_en(scene: Scene) -> list[str]:
    """Five captions, lower case without a full stop; the first two tell everything, the others most of it."""
    return _captions(scene, EN_FORMS)


def captions_zh(scene: Scene) -> list[str]:
    """Five captions in simplified characters, as `captions_en` does; not its translations."""
    return _captions(scene, ZH_FORMS)


def _captions(scene: Scene, forms: Sequence[Form]) -> list[str]:
    rng = random.Random(f"{forms[0].__name__} {astuple(scene)}")
    first, second, *others = rng.sample(forms, 5)  # no form of sentence twice
    present = [name for name in MINOR if getattr(scene, name)]
    captions = [first(scene, rng.choice), second(scene, rng.choice)]
    for form in others:
        less = replace(scene, **dict.fromkeys(rng.sample(present, rng.choice((1, 1, 2))), ""))
        caption = form(less, rng.choice)
        while caption in captions:  # two forms can meet when much is left out: other synonyms then
            caption = form(less, rng.choice)
        captions.append(caption)
    return captions


EN = {
    "willow": ("a willow", "a weeping willow", "an old willow"),
    "pine": ("a pine", "an old pine", "a crooked pine tree"),
    "plum blossom": ("plum blossom", "branches of plum blossom", "pink plum blossom"),
    "lotus": ("lotus flowers", "pink lotus flowers", "lotus in bloom"),
    "bamboo": ("bamboo", "green bamboo", "tall bamboo"),
    "maple": ("a maple", "a red maple", "a maple in red leaf"),
    "reeds": ("reeds", "tall reeds", "feathery reeds"),
    "chrysanthemum": ("chrysanthemums", "yellow chrysanthemums", "chrysanthemums in bloom"),
    "boat": ("a small boat", "a wooden boat", "a covered boat"),
    "bridge": ("a stone bridge", "an arched bridge", "an old bridge"),
    "pavilion": ("a pavilion", "a small pavilion", "an open pavilion"),
    "pagoda": ("a pagoda", "a tall pagoda", "an old pagoda"),
    "lantern": ("a red lantern", "a big lantern", "a lantern on a post"),
    "hut": ("a hut", "a thatched hut", "a straw hut"),
    "fisherman": ("a fisherman", "an old fisherman", "a fisherman with his rod"),
    "umbrella": ("a walker with a red umbrella", "someone under an umbrella", "a woman with an umbrella"),
    "mountains": ("mountains behind", "mountains in the distance", "distant mountains"),
    "hills": ("low hills behind", "rolling hills beyond", "distant round hills"),
    "cliff": ("a steep cliff behind", "a cliff beyond", "a rocky cliff behind"),
    "peak": ("a lone peak behind", "a single distant peak", "one high peak beyond"),
    "river": ("a river", "a winding river", "a quiet river"),
    "lake": ("a lake", "a quiet lake", "a wide lake"),
    "waterfall": ("a waterfall", "a high waterfall"),
    "geese": ("geese overhead", "a line of geese overhead", "wild geese in flight"),
    "crane": ("a crane overhead", "a white crane in flight", "a crane flying past"),
    "swallows": ("swallows overhead", "swallows darting past", "swallows in the air"),
    "full moon": ("a full moon above", "a bright full moon", "a round full moon"),
    "crescent moon": ("a crescent moon above", "a crescent moon", "a thin crescent moon"),
    "sun": ("the sun above", "the sun in the sky"),
    "dawn sun": ("the rising sun", "the sun just up", "a low morning sun"),
    "day sun": ("the sun high above", "a bright sun", "the sun in the sky"),
    "dusk sun": ("the setting sun", "the sun going down", "a low evening sun"),
    "dawn": ("at dawn", "at daybreak", "in the morning"),
    "day": ("during the day", "in the daytime", "in daylight"),
    "dusk": ("at dusk", "in the evening", "at nightfall"),
    "night": ("at night", "late at night", "after dark"),
    "clear": ("under a clear sky", "in clear air"),
    "mist": ("in the mist", "in thin mist", "in drifting mist"),
    "rain": ("in the rain", "in light rain"),
    "snow": ("in the snow", "in falling snow"),
}
EN_OVER = {"geese": "geese fly over", "crane": "a crane flies over", "swallows": "swallows dart over"}
EN_RISE = {"mountains": "mountains rise", "hills": "hills roll", "cliff": "a cliff rises", "peak": "a lone peak rises"}
EN_AT = {"boat": "on", "bridge": "over"}
EN_WEATHER = {"clear": "clear", "mist": "misty", "rain": "rainy", "snow": "snowy"}
EN_TIME = {"dawn": "dawn", "day": "day", "dusk": "evening", "night": "night", "": "scene"}


def en_thing_first(scene: Scene, pick: Choice) -> str:
    rest = [en_plant(scene, pick), *en_names(scene, pick, "land", "body", "bird")]
    return f"{en_thing(scene, pick)} {en_sky(scene, pick)}, {en_list(rest)}"


def en_plant_first(scene: Scene, pick: Choice) -> str:
    near = pick(("beside", "near", "close to"))
    rest = en_names(scene, pick, "bird", "body", "land")
    view = f"{pick(EN[scene.plant])} {near} {en_thing(scene, pick)} {en_sky(scene, pick)}"
    return f"{view}, {en_list(rest)}" if rest else view


def en_sky_first(scene: Scene, pick: Choice) -> str:
    rest = en_names(scene, pick, "land", "bird", "body")
    view = f"{en_sky(scene, pick)} there is {en_thing(scene, pick)} near {pick(EN[scene.plant])}"
    return f"{view}, with {en_list(rest)}" if rest else view


def en_land_first(scene: Scene, pick: Choice) -> str:
    opening = f"{EN_RISE[scene.land]} behind" if scene.land else pick(("a view of", "a picture of"))
    rest = [en_plant(scene, pick), *en_names(scene, pick, "body", "bird")]
    return f"{opening} {en_thing(scene, pick)} {en_sky(scene, pick)}, with {en_list(rest)}"


def en_bird_first(scene: Scene, pick: Choice) -> str:
    opening = f"{EN_OVER[scene.bird]} " if scene.bird else ""
    rest = en_names(scene, pick, "body", "land")
    view = f"{opening}{en_thing(scene, pick)} and {en_plant(scene, pick)} {en_sky(scene, pick)}"
    return f"{view}, with {en_list(rest)}" if rest else view


def en_time_first(scene: Scene, pick: Choice) -> str:
    opening = f"a {EN_WEATHER[scene.weather]} {EN_TIME[scene.light]}"
    rest = [en_plant(scene, pick), en_thing(scene, pick), *en_names(scene, pick, "body", "land", "bird")]
    return f"{opening} with {en_list(rest)}"


EN_FORMS = (en_thing_first, en_plant_first, en_sky_first, en_land_first, en_bird_first, en_time_first)


def en_names(scene: Scene, pick: Choice, *fields: str) -> list[str]:
    """A phrase for each of these fields that is not empty; the sun's depends on the light."""
    names = [getattr(scene, field) for field in fields]
    return [pick(EN.get(f"{scene.light} {name}", EN.get(name))) for name in names if name]


def en_thing(scene: Scene, pick: Choice) -> str:
    """The thing and the water it is at: a small boat on a river."""
    thing = pick(EN[scene.thing])
    return f"{thing} {EN_AT.get(scene.thing, 'by')} {pick(EN[scene.water])}" if scene.water else thing


def en_plant(scene: Scene, pick: Choice) -> str:
    """The plant and its place: a willow on the bank."""
    if scene.water not in ("river", "lake"):
        places = ("in front", "nearby", "in the foreground")
    elif scene.plant == "lotus":
        places = ("on the water", "in the shallows", "in front")
    else:
        places = ("on the bank", "at the water's edge", "in front")
    return f"{pick(EN[scene.plant])} {pick(places)}"


def en_sky(scene: Scene, pick: Choice) -> str:
    """Light and weather: at dusk in the rain, on a rainy evening."""
    weather = pick(EN[scene.weather])
    if not scene.light:
        return weather
    time = EN_TIME[scene.light]
    return pick((f"{pick(EN[scene.light])} {weather}", f"on a {EN_WEATHER[scene.weather]} {time}"))


def en_list(phrases: Sequence[str]) -> str:
    """One phrase, two joined by "and", or more with commas before that."""
    *most, last = phrases
    return f"{', '.join(most)} and {last}" if most else last


ZH = {  # clauses of four characters or so; the things with their measure words
    "willow": ("垂柳依依", "柳丝轻拂", "杨柳低垂"),
    "pine": ("青松挺立", "古松苍劲", "苍松一株"),
    "plum blossom": ("梅花绽放", "一树梅花", "梅枝横斜"),
    "lotus": ("荷花盛开", "荷叶田田", "莲花出水"),
    "bamboo": ("翠竹几竿", "修竹青青", "竹影摇曳"),
    "maple": ("红枫如火", "一树枫叶", "枫叶正红"),
    "reeds": ("芦苇摇曳", "芦花几丛", "芦苇丛生"),
    "chrysanthemum": ("菊花盛开", "几丛黄菊", "菊花数朵"),
    "boat": ("一叶小舟", "一只小船", "一叶扁舟"),
    "bridge": ("一座石桥", "一座拱桥", "一座古桥"),
    "pavilion": ("一座凉亭", "一座小亭", "一座亭子"),
    "pagoda": ("一座宝塔", "一座古塔", "一座高塔"),
    "lantern": ("一盏红灯笼", "一盏灯笼", "一盏高挂的灯笼"),
    "hut": ("一间茅屋", "一间草屋", "一间茅舍"),
    "fisherman": ("一位渔翁", "一位垂钓的渔夫", "一位持竿的渔翁"),
    "umbrella": ("一位撑伞的行人", "一个打伞的人", "一把红伞下的行人"),
    "mountains": ("群山连绵", "远山重叠", "层峦叠嶂"),
    "hills": ("丘陵起伏", "小丘绵延", "矮丘相连"),
    "cliff": ("峭壁耸立", "悬崖高耸", "断崖陡立"),
    "peak": ("孤峰独立", "一座孤峰", "孤峰入云"),
    "river": ("江水悠悠", "江水静流", "一江流水"),
    "lake": ("湖水澄静", "湖面宽阔", "一片湖水"),
    "waterfall": ("瀑布飞泻", "瀑布高悬", "瀑布如练"),
    "geese": ("雁群飞过", "一行大雁", "飞雁成行"),
    "crane": ("一只白鹤飞过", "白鹤翩翩", "孤鹤掠过"),
    "swallows": ("燕子翻飞", "几只燕子掠过", "燕子低飞"),
    "full moon": ("一轮圆月", "圆月当空", "满月高悬"),
    "crescent moon": ("一弯新月", "月牙弯弯", "新月如钩"),
    "sun": ("太阳在天", "一轮太阳"),
    "dawn sun": ("红日初升", "旭日东升", "朝阳初上"),
    "day sun": ("太阳高照", "丽日当空", "艳阳高照"),
    "dusk sun": ("夕阳西下", "落日低垂", "一轮残阳"),
    "dawn": ("拂晓时分", "清晨", "晨光里"),
    "day": ("白日里", "白昼", "日间"),
    "dusk": ("暮色里", "黄昏时分", "日暮时分"),
    "night": ("夜色里", "深夜", "夜里"),
    "clear": ("天朗气清", "天色晴好", "晴空万里"),
    "mist": ("薄雾轻笼", "雾气迷蒙", "薄雾弥漫"),
    "rain": ("细雨蒙蒙", "雨丝纷纷", "细雨如丝"),
    "snow": ("雪花纷飞", "大雪纷飞", "飞雪漫天"),
}
ZH_NOUN = {
    "willow": "垂柳",
    "pine": "青松",
    "plum blossom": "梅花",
    "lotus": "荷花",
    "bamboo": "翠竹",
    "maple": "红枫",
    "reeds": "芦苇",
    "chrysanthemum": "菊花",
    "mountains": "群山",
    "hills": "小丘",
    "cliff": "悬崖",
    "peak": "孤峰",
    "river": "江",
    "lake": "湖",
    "waterfall": "瀑布",
}
ZH_TIME = {"dawn": "清晨", "day": "白天", "dusk": "黄昏", "night": "夜晚"}
ZH_WEATHER = {"clear": "晴朗", "mist": "雾中", "rain": "雨中", "snow": "雪中"}


def zh_sky_first(scene: Scene, pick: Choice) -> str:
    clauses = [zh_thing(scene, pick), *zh_names(scene, pick, "plant", "body", "land", "bird")]
    return "，".join([zh_sky(scene, pick), *clauses])


def zh_plant_and_thing(scene: Scene, pick: Choice) -> str:
    pair = f"{ZH_NOUN[scene.plant]}{pick(('旁', '边'))}{pick(ZH[scene.thing])}"
    return "，".join([zh_sky(scene, pick), pair, *zh_names(scene, pick, "water", "land", "body", "bird")])


def zh_land_first(scene: Scene, pick: Choice) -> str:
    clauses = zh_names(scene, pick, "land", "water", "plant")
    return "，".join([*clauses, pick(ZH[scene.thing]), zh_sky(scene, pick), *zh_names(scene, pick, "body", "bird")])


def zh_there_is(scene: Scene, pick: Choice) -> str:
    clauses = [f"有{pick(ZH[scene.thing])}", f"还有{ZH_NOUN[scene.plant]}", *zh_names(scene, pick, "land", "bird")]
    return "，".join([zh_sky(scene, pick), zh_place(scene) + clauses[0], *clauses[1:], *zh_names(scene, pick, "body")])


def zh_bird_first(scene: Scene, pick: Choice) -> str:
    clauses = [*zh_names(scene, pick, "bird", "body", "plant"), zh_thing(scene, pick), *zh_names(scene, pick, "land")]
    return "，".join([*clauses, zh_sky(scene, pick)])


def zh_far_and_near(scene: Scene, pick: Choice) -> str:
    far = [f"远处是{ZH_NOUN[scene.land]}"] if scene.land else []
    clauses = [*far, f"近处是{ZH_NOUN[scene.plant]}", zh_thing(scene, pick), *zh_names(scene, pick, "bird", "body")]
    return "，".join([*clauses, zh_sky(scene, pick)])


ZH_FORMS = (zh_sky_first, zh_plant_and_thing, zh_land_first, zh_there_is, zh_bird_first, zh_far_and_near)


def zh_names(scene: Scene, pick: Choice, *fields: str) -> list[str]:
    """A clause for each of these fields that is not empty; the sun's depends on the light."""
    names = [getattr(scene, field) for field in fields]
    return [pick(ZH.get(f"{scene.light} {name}", ZH.get(name))) for name in names if name]


def zh_place(scene: Scene) -> str:
    """The place of the thing: 江上, 湖边, 瀑布旁, or nothing."""
    if not scene.water:
        return ""
    beside = "旁" if scene.water == "waterfall" else "边"
    return ZH_NOUN[scene.water] + ("上" if scene.thing in ("boat", "bridge") else beside)


def zh_thing(scene: Scene, pick: Choice) -> str:
    """The thing in its place: 江上一叶小舟."""
    return zh_place(scene) + pick(ZH[scene.thing])


def zh_sky(scene: Scene, pick: Choice) -> str:
    """Light and weather: 黄昏时分细雨蒙蒙, 雨中的黄昏."""
    weather = pick(ZH[scene.weather])
    if not scene.light:
        return weather
    whole = f"{ZH_WEATHER[scene.weather]}的{ZH_TIME[scene.light]}"
    return pick((pick(ZH[scene.light]) + weather, whole))
