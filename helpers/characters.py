"""Chinese characters: the test for one, for a text that is mostly made of them, and their usual forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache


@cache  # asked for each character of each draft at each step
def is_han(char: str) -> bool:
    """True if `char` is one Chinese character (CJK ideographs with their extensions, and 〇)."""
    ranges = ("\u4e00\u9fff", "\u3400\u4dbf", "\U00020000\U000323af", "\uf900\ufaff", "〇〇")
    return len(char) == 1 and any(first <= char <= last for first, last in ranges)


def is_chinese(text: str) -> bool:
    """True if at least half of the letters are Chinese characters."""
    return mostly(text, is_han)


def mostly(text: str, test: Callable[[str], bool]) -> bool:
    """True if at least half of the letters pass the test; False for a text without letters."""
    letters = [char for char in text if char.isalpha()]
    return bool(letters) and 2 * sum(map(test, letters)) >= len(letters)


def usual_forms(text: str) -> str:
    """The text with its variants (异体字) in the form that is usual today: 簷 -> 檐, 櫂 -> 棹, 遶 -> 绕.

    For simplified text: OpenCC turns traditional characters into simplified ones and leaves these as they are.
    """
    return text.translate(_USUAL)


# Variant and usual form: those that chinese-poetry 2.0.1 has after OpenCC, the frequent ones first. The usual form is
# always in GB 2312, which the brush of the cards can draw.
_VARIANTS = (
    "馀余 "
    "隠隐 疎疏 簷檐 祇只 鴈雁 遶绕 鬰郁 髪发 頼赖 慙惭 鶑莺 徧遍 浄净 谿溪 粧妆 劒剑 鬭斗 媿愧 僊仙 蘂蕊 臯皋 髙高 "
    "猨猿 珮佩 巵卮 鬬斗 鼇鳌 賸剩 煖暖 嬾懒 櫂棹 馿驴 牋笺 罇樽 歛敛 妬妒 覩睹 隣邻 餠饼 槃盘 寛宽 隄堤 懽欢 閙闹 "
    "俛俯 臞癯 鉏锄 鲙脍 椀碗 彊强 懃勤 慇殷 祐佑 𬬻炉 褭袅 斾旆 筯箸 鳯凤 怱匆 檝楫 峩峨 堦阶 袴裤 拏拿 缾瓶 斲斫 "
    "畧略 虀齑 髣仿 髴佛 毬球 撚捻 穉稚 踈疏 秪只 遯遁 燄焰 潄漱 珪圭 犂犁 幷并 筿筱 鏁锁 廻回 飜翻 麤粗 羃幂 悮误 "
    "邉边 迺乃 鼈鳖 怳恍 羮羹 崄险 歳岁 欵款 栢柏 笻筇 磵涧 櫺棂 覊羁 揺摇 逈迥 竝并 蔕蒂 烱炯 幙幕 槩概 穽阱 暎映 "
    "驩欢 嚬颦 旛幡 醆盏 秖只 緜绵 顇悴 桮杯 薫薰 輙辄 毎每 顦憔 纒缠 箎篪 壻婿 蠧蠹 姪侄 搆构 諠喧 朶朵 碁棋 憇憩 "
    "讐雠 牓榜 瘖喑 呌叫 斵斫 貍狸 餽馈 擡抬 瑯琅 盌碗 翺翱 讙喧 邨村 荅答 懐怀 閴阒 鵶鸦 敧欹 睠眷 瓌瑰 臙胭 躭耽 "
    "渇渴 蕚萼 倐倏 澣浣 氊毡 徴征 羇羁 囘回 濶阔 阨厄 逺远 繖伞 寖浸 戯戏 様样 葅菹 艶艳 漥洼 塲场 䕷蘼 鸎莺 抃忭 "
    "棃梨 闗关 觧解 瑠琉 効效 駮驳 穏稳 朞期 寘置 濬浚 槖橐 巌岩 皷鼓 厓崖 鎗枪 啣衔 澁涩 燿耀 勲勋 筭算 嚢囊 噉啖 "
    "琖盏 椶棕 窻窗 毘毗 灔滟 碪砧 袠帙 鐡铁 醤酱 衞卫 啗啖 狥徇 寃冤 汚污 逰游 籖签 欬咳 廼乃 趂趁 呪咒 搥捶 牕窗 "
    "淛浙 脇胁 蟇蟆 徬彷 凖准 愬诉 倣仿 燐磷 飡餐 勗勖 鞵鞋 歴历 箒帚 輭软 黙默 陁陀 虵蛇 甆瓷 甖罂 麞獐 襃褒 痩瘦 "
    "飇飙 髩鬓 犇奔 帬裙 勅敕 匳奁 覔觅 糢模 氷冰 専专 覧览 徃往 傚效 纎纤 攲欹 曵曳 鶵雏 帯带 貎貌 蠭蜂 鷰燕 鎻锁 "
    "囓啮 禆裨 衘衔 眀明 欝郁 覇霸 苖苗 聨联 捜搜 掲揭 喣煦 劔剑 刼劫 蜨蝶 嵓岩 盻盼 雰氛 昻昂 膓肠 颿帆 嬭奶 蝱虻 "
    "菓果 臈腊 攅攒 覉羁 韈袜 涙泪 戸户 畆亩 嵒岩 撃击 韲齑 蹏蹄 飬养 籐藤 恡吝 蠒茧 簮簪 塼砖 壊坏 騣鬃 荘庄 凴凭 "
    "尅克 崕崖 甎砖 煑煮 亷廉 籓藩 鵞鹅 聴听 擕携 炁气 鍳鉴 鬂鬓 歗啸 疉叠 皜皓 埜野 醼宴 徤健 畊耕 悤匆 醻酬 愽博 "
    "抝拗 娯娱 虗虚 圎圆 彛彝 譌讹 尠鲜 欎郁 炤照 冐冒 熈熙 熖焰 痺痹 凂浼 閧哄 頥颐 酧酬 剏创 槀槁 摠总 莭节 蘓苏 "
    "衂衄 褁裹 觕粗 扵于 暠皓 濳潜 姸妍 殱歼 軰辈 拕拖 挍校 稺稚 揷插 躶裸 恠怪 柹柿 爕燮 篴笛 戅戆 揑捏 吿告 牎窗 "
    "硏研 藳稿 虖乎 靣面 飃飘 崘仑 愡匆 煗暖 埀垂 湏须 蔴麻 銕铁 鬪斗 凢凡 敍叙 淸清 濓濂 兠兜 剳札 惏婪 攷考 曺曹 "
    "壷壶 慿凭 琹琴 繍绣 觔斤 隷隶 亾亡 妷侄 湌餐 皃貌 粇粳 脃脆 旹时 晩晚 暁晓 桒桑 竸竞 蘯荡 躱躲 迯逃 蕐华 囬回 "
    "仾低 偹备 匲奁 寳宝 帋纸 撡操 擧举 櫉橱 灋法 烖灾 "
)
_USUAL = str.maketrans(dict(_VARIANTS.split()))
