"""verse.check: forty quatrains of the Tang and what is to be said of each, and poems made wrong in one place."""

import json
from dataclasses import replace

import pytest

from helpers.verse import FAULTS, check_poem, enforced, reported, tone_pattern
from tests.samples import BAIDI, HERON_TOWER, MAPLE_BRIDGE, NIGHT_THOUGHTS, RIVER_SNOW

# Title, lines, the group of the rhyme or its kind, faults, licences; decided by reading, after 王力《诗词格律》.
TANG = """\
登鹳雀楼 白日依山尽|黄河入海流|欲穷千里目|更上一层楼 十一尤 - -
静夜思 床前明月光|疑是地上霜|举头望明月|低头思故乡 七阳 order -
早发白帝城 朝辞白帝彩云间|千里江陵一日还|两岸猿声啼不住|轻舟已过万重山 十五删 - -
枫桥夜泊 月落乌啼霜满天|江枫渔火对愁眠|姑苏城外寒山寺|夜半钟声到客船 一先 - -
山行 远上寒山石径斜|白云生处有人家|停车坐爱枫林晚|霜叶红于二月花 六麻 - -
清明 清明时节雨纷纷|路上行人欲断魂|借问酒家何处有|牧童遥指杏花村 十三元 - -
江南春 千里莺啼绿映红|水村山郭酒旗风|南朝四百八十寺|多少楼台烟雨中 一东 - 拗救
泊秦淮 烟笼寒水月笼沙|夜泊秦淮近酒家|商女不知亡国恨|隔江犹唱后庭花 六麻 - -
乌衣巷 朱雀桥边野草花|乌衣巷口夕阳斜|旧时王谢堂前燕|飞入寻常百姓家 六麻 - -
芙蓉楼送辛渐 寒雨连江夜入吴|平明送客楚山孤|洛阳亲友如相问|一片冰心在玉壶 七虞 - -
出塞 秦时明月汉时关|万里长征人未还|但使龙城飞将在|不教胡马度阴山 十五删 - -
凉州词王翰 葡萄美酒夜光杯|欲饮琵琶马上催|醉卧沙场君莫笑|古来征战几人回 十灰 - -
凉州词王之涣 黄河远上白云间|一片孤城万仞山|羌笛何须怨杨柳|春风不度玉门关 十五删 - 平平仄平仄
相思 红豆生南国|春来发几枝|愿君多采撷|此物最相思 四支 - -
鸟鸣涧 人闲桂花落|夜静春山空|月出惊山鸟|时鸣春涧中 一东 tails 平平仄平仄
鹿柴 空山不见人|但闻人语响|返景入深林|复照青苔上 oblique rhyme,order -
江雪 千山鸟飞绝|万径人踪灭|孤舟蓑笠翁|独钓寒江雪 oblique rhyme,order -
寻隐者不遇 松下问童子|言师采药去|只在此山中|云深不知处 oblique rhyme,order -
竹里馆 独坐幽篁里|弹琴复长啸|深林人不知|明月来相照 oblique rhyme 平平仄平仄
绝句 两个黄鹂鸣翠柳|一行白鹭上青天|窗含西岭千秋雪|门泊东吴万里船 一先 - -
望庐山瀑布 日照香炉生紫烟|遥看瀑布挂前川|飞流直下三千尺|疑是银河落九天 一先 - -
春晓 春眠不觉晓|处处闻啼鸟|夜来风雨声|花落知多少 oblique rhyme,order -
回乡偶书 少小离家老大回|乡音无改鬓毛衰|儿童相见不相识|笑问客从何处来 十灰 - -
赤壁 折戟沉沙铁未销|自将磨洗认前朝|东风不与周郎便|铜雀春深锁二乔 二萧 - -
夜雨寄北 君问归期未有期|巴山夜雨涨秋池|何当共剪西窗烛|却话巴山夜雨时 四支 - -
江南逢李龟年 岐王宅里寻常见|崔九堂前几度闻|正是江南好风景|落花时节又逢君 十二文 - 平平仄平仄
送元二使安西 渭城朝雨浥轻尘|客舍青青柳色新|劝君更尽一杯酒|西出阳关无故人 十一真 order -
滁州西涧 独怜幽草涧边生|上有黄鹂深树鸣|春潮带雨晚来急|野渡无人舟自横 八庚 order -
黄鹤楼送孟浩然 故人西辞黄鹤楼|烟花三月下扬州|孤帆远影碧空尽|唯见长江天际流 十一尤 order -
题都城南庄 去年今日此门中|人面桃花相映红|人面不知何处去|桃花依旧笑春风 一东 - -
八阵图 功盖三分国|名成八阵图|江流石不转|遗恨失吞吴 七虞 - -
听弹琴 泠泠七弦上|静听松风寒|古调虽自爱|今人多不弹 十四寒 tails 平平仄平仄 拗救
逢雪宿芙蓉山主人 日暮苍山远|天寒白屋贫|柴门闻犬吠|风雪夜归人 十一真 - -
宿建德江 移舟泊烟渚|日暮客愁新|野旷天低树|江清月近人 十一真 - 平平仄平仄
渡汉江 岭外音书断|经冬复历春|近乡情更怯|不敢问来人 十一真 - -
问刘十九 绿蚁新醅酒|红泥小火炉|晚来天欲雪|能饮一杯无 七虞 - -
嫦娥 云母屏风烛影深|长河渐落晓星沉|嫦娥应悔偷灵药|碧海青天夜夜心 十二侵 - -
秋夕 银烛秋光冷画屏|轻罗小扇扑流萤|天阶夜色凉如水|卧看牵牛织女星 九青 - -
从军行 青海长云暗雪山|孤城遥望玉门关|黄沙百战穿金甲|不破楼兰终不还 十五删 - -
闺怨 闺中少妇不知愁|春日凝妆上翠楼|忽见陌头杨柳色|悔教夫婿觅封侯 十一尤 - -
九月九日忆山东兄弟 独在异乡为异客|每逢佳节倍思亲|遥知兄弟登高处|遍插茱萸少一人 十一真 - -
寒食 春城无处不飞花|寒食东风御柳斜|日暮汉宫传蜡烛|轻烟散入五侯家 六麻 - -
""".splitlines()


@pytest.mark.parametrize("row", TANG, ids=lambda row: row.split()[0])
def test_tang_quatrains(row: str) -> None:
    _, lines, rhyme, faults, *licences = row.split()
    report = json.loads(json.dumps(check_poem(lines.split("|"))))
    assert rhyme in (report["rhyme_kind"], report["rhyme_group"])
    assert report["faults"] == [name for name in faults.split(",") if name != "-"]
    assert [name for name in report["licences"] if name] == [name for name in licences if name != "-"]


def test_the_other_book_agrees_with_nearly_all() -> None:
    verdicts = [(check_poem(p)["faults"], check_poem(p, readings=reported())["faults"]) for p in map(lines_of, TANG)]
    assert sum(own == other for own, other in verdicts) >= 38


def lines_of(row: str) -> list[str]:
    return row.split()[1].split("|")


@pytest.mark.parametrize(
    "number, line, fault",
    [
        (3, "轻舟已过万重林", "rhyme"),
        (0, "朝辞白帝彩云东", "first_line"),
        (2, "两岸猿声啼不休", "third_line"),
        (1, "千里江山一日还", None),  # 山 for 陵: the order stands
        (1, "千里江水一日还", "order"),
        (0, "朝辞白帝春云间", "tails"),  # 春云间: three level tones
        (3, "轻舟过过过重山", "doubling"),
        (3, "轻舟已过九重山", None),
    ],
)
def test_one_wrong_line(number: int, line: str, fault: str | None) -> None:
    poem = [line if i == number else old for i, old in enumerate(BAIDI)]
    found = check_poem(poem)["faults"]
    assert (fault in found) if fault else found == []
    assert set(found) <= set(FAULTS)


def test_lonely_level() -> None:
    assert check_poem(["白日依山尽", "晓入洛阳楼", *HERON_TOWER[2:]])["tails"][1] == ""  # 仄仄仄平平
    report = check_poem(["白日依山尽", "野色入窗流", *HERON_TOWER[2:]])
    assert report["tails"] == [""] * 4
    report = check_poem(["白日依山尽", "故人向海流", *HERON_TOWER[2:]])  # 仄平仄仄平
    assert report["tails"] == ["", "孤平", "", ""] and report["faults"] == ["tails"]


def test_a_word_over_the_caesura() -> None:
    words = ["彩云", "江陵", "猿声啼", "万重"]
    report = check_poem(BAIDI, [*words, "落日"])
    assert report["placed"] == words and report["missing"] == ["落日"]
    assert report["caesura"] == ["猿声啼"] and report["faults"] == ["caesura"]
    assert check_poem(BAIDI, ["白帝", "日还", "啼不住", "轻舟已过"])["caesura"] == []
    assert check_poem(BAIDI, ["辞白", "帝彩"])["caesura"] == ["辞白", "帝彩"]


def test_context_decides_a_reading() -> None:
    book = enforced()
    assert tone_pattern("五更鼓角声悲壮") == "仄平仄仄平平仄"
    assert tone_pattern("更上一层楼") == "仄仄仄平平"
    assert tone_pattern("乘兴") == "平仄" and tone_pattern("兴亡") == "平平"
    assert replace(book, contexts={}).line_tones("三更")[1] == {"仄"}
    assert tone_pattern("看?天") == "中中平"


def test_order_of_lines_matters_for_tones() -> None:
    one, two, three, four = HERON_TOWER
    assert not check_poem([two, one, three, four])["tonal"]  # no 粘
    assert not check_poem([one, one, three, four])["tonal"]  # no 对
    assert not check_poem([one, two, three, "更上一目楼"])["tonal"]  # 上 and 目 are both 仄


def test_repeats() -> None:
    assert check_poem(NIGHT_THOUGHTS)["repeats"] == sorted("头明月")
    assert check_poem(BAIDI)["repeats"] == []
    assert check_poem(["悠悠天地间"])["repeats"] == []
    assert check_poem(["悠悠悠天地"])["repeats"] == ["悠"]
    assert check_poem(["悠悠天地悠"])["repeats"] == ["悠"]
    assert check_poem(["天地", "地山"])["repeats"] == ["地"]
    assert check_poem(["归棹", "鸣櫂"])["repeats"] == ["棹"]  # a variant of the same character


@pytest.mark.parametrize(
    "poem",
    [
        [],
        [""] * 4,
        HERON_TOWER[:3],
        [*HERON_TOWER, "山"],
        [*HERON_TOWER[:3], "更上一层，"],
        [*BAIDI[:3], "山"],
    ],
)
def test_what_is_no_quatrain(poem: list[str]) -> None:
    result = check_poem(poem)
    assert result["form"] is None and not result["length"] and not result["tonal"]
    assert len(result["tones"]) == len(poem) and "form" in result["faults"]


def test_a_character_does_not_rhyme_with_itself() -> None:
    assert check_poem([HERON_TOWER[0], "黄河入海流", HERON_TOWER[2], "长江万古流"])["rhyme_kind"] == "none"


def test_kinds_of_rhyme() -> None:
    assert check_poem(MAPLE_BRIDGE)["rhyme_kind"] == "level"
    assert check_poem(RIVER_SNOW)["rhyme_kind"] == "oblique"
    assert check_poem([*BAIDI[:3], "轻舟已过万重天"])["rhyme_kind"] == "neighbouring"
    assert check_poem([*BAIDI[:3], "轻舟已过万重楼"])["rhyme_kind"] == "none"


def test_a_context_brings_its_rhyme() -> None:
    """三更: 更 is level there, and rhymes with 明, though it is oblique by itself."""
    assert "first_line" not in check_poem(["寺前双鬓已三更", "夜半归舟一水明", *BAIDI[2:]])["faults"]
    assert enforced().end_groups("已三更", "平") == {"八庚"} and not enforced().end_groups("更", "平")
