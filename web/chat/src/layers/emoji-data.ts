/** The emoji one can choose from, with the words they are found by. No other file names an emoji by its words. */

interface Group {
  en: string;
  zh: string;
  emoji: { sign: string; names: string }[];
}

const group = (en: string, zh: string, list: string): Group => ({
  en,
  zh,
  emoji: list.split("|").map((entry) => {
    const space = entry.indexOf(" ");
    return { sign: entry.slice(0, space), names: entry.slice(space + 1) };
  }),
});

export const EMOJI: readonly Group[] = [
  group(
    "Smileys",
    "表情",
    "😀 grin happy 笑 开心|😃 smile happy 微笑|😄 laugh happy 大笑|😁 beam grin 嘻嘻|😆 laughing 哈哈|😅 sweat relief 汗 尴尬|🤣 rofl rolling 笑死|😂 joy tears 笑哭|🙂 slight smile 微笑|😉 wink 眨眼|😊 blush happy 害羞 开心|😇 angel innocent 天使|🥰 love hearts 喜欢 爱|😍 heart eyes love 爱心眼 喜欢|😘 kiss 飞吻|😋 yum tasty 好吃|😜 tongue wink 调皮|🤪 zany crazy 疯|🤗 hug 抱抱|🤭 oops giggle 捂嘴|🤫 quiet shush 嘘|🤔 think hmm 思考 想|🤨 eyebrow doubt 怀疑|😐 neutral 无语|😏 smirk 得意|😒 unamused 不满|🙄 eyeroll 白眼|😬 grimace 尴尬|😌 relieved 安心|😔 pensive sad 失落|😴 sleep tired 睡觉 困|🤤 drool 流口水|😷 mask sick 口罩|🤒 fever ill 生病|🥵 hot 热|🥶 cold freezing 冷|😵 dizzy 晕|🤯 mindblown exploding 震惊|🥳 party celebrate 庆祝|😎 cool sunglasses 酷|🤓 nerd 书呆|😕 confused 困惑|😟 worried 担心|😮 wow surprised 惊讶|😳 flushed embarrassed 脸红|🥺 pleading please 拜托|😢 cry sad 哭|😭 sob crying 大哭|😱 scream fear 害怕|😤 huff 哼|😡 angry mad 生气|🤬 swearing 骂|💀 skull dead 骷髅|💩 poop 便便|🤡 clown 小丑|👻 ghost 鬼|🤖 robot 机器人",
  ),
  group(
    "People",
    "手势",
    "👋 wave hello bye 挥手 你好 再见|👌 ok perfect 好的|✌️ peace victory 耶|🤞 fingers luck 祝好运|🤝 handshake deal 握手 合作|👍 thumbsup yes good 赞 好|👎 thumbsdown no bad 踩|👏 clap bravo 鼓掌|🙌 hooray raise 万岁|🙏 thanks please pray 谢谢 拜托|💪 strong muscle 加油|👊 fist bump 碰拳|✊ fist 拳头|👆 up point 上|👇 down point 下|👈 left point 左|👉 right point 右|✋ stop hand 停|🤙 call 打电话|✍️ write 写|🤦 facepalm 捂脸|🤷 shrug dunno 摊手 不知道|🙋 raise question 举手|👀 eyes look 看|🧠 brain 脑子|👶 baby 宝宝|👩‍💻 developer coder 程序员|👨‍👩‍👧 family 家|🏃 run 跑|💃 dance 跳舞|👑 crown king 皇冠",
  ),
  group(
    "Hearts",
    "爱心",
    "❤️ heart love red 爱 红心|🧡 orange heart 橙心|💛 yellow heart 黄心|💚 green heart 绿心|💙 blue heart 蓝心|💜 purple heart 紫心|🖤 black heart 黑心|🤍 white heart 白心|💔 broken heart 心碎|💕 hearts love 爱心|💯 hundred full 满分|💥 boom 爆炸|✨ sparkles 闪|⭐ star 星|🌟 glowing star 星星|🔥 fire hot 火|💫 dizzy 眩|💤 zzz sleep 睡",
  ),
  group(
    "Nature",
    "自然",
    "🐶 dog 狗|🐱 cat 猫|🐭 mouse 鼠|🐰 rabbit 兔|🦊 fox 狐狸|🐻 bear 熊|🐼 panda 熊猫|🐯 tiger 虎|🦁 lion 狮子|🐮 cow 牛|🐷 pig 猪|🐸 frog 青蛙|🐵 monkey 猴|🐔 chicken 鸡|🐧 penguin 企鹅|🐦 bird 鸟|🦢 swan goose 天鹅 鸿雁|🦉 owl 猫头鹰|🐴 horse 马|🐍 snake 蛇|🐲 dragon 龙|🐢 turtle 乌龟|🐟 fish 鱼|🐳 whale 鲸|🦋 butterfly 蝴蝶|🐝 bee 蜜蜂|🌸 blossom flower 樱花 花|🌹 rose flower 玫瑰|🌻 sunflower 向日葵|🌲 tree 树|🍀 clover luck 四叶草|🍁 maple autumn 枫叶|🎋 bamboo 竹|🌍 earth world 地球|🌙 moon night 月亮|☀️ sun sunny 太阳|⛅ cloud 多云|🌧️ rain 雨|⛈️ storm 雷雨|❄️ snow cold 雪|☔ umbrella rain 伞|🌈 rainbow 彩虹|🌊 wave sea 海浪",
  ),
  group(
    "Food",
    "食物",
    "🍎 apple 苹果|🍊 orange 橘子|🍋 lemon 柠檬|🍌 banana 香蕉|🍉 watermelon 西瓜|🍇 grapes 葡萄|🍓 strawberry 草莓|🍑 peach 桃|🥑 avocado 牛油果|🌶️ pepper spicy 辣椒|🍞 bread 面包|🧀 cheese 奶酪|🍔 burger 汉堡|🍟 fries 薯条|🍕 pizza 披萨|🥟 dumpling 饺子|🍜 noodles ramen 面条|🍚 rice 米饭|🍣 sushi 寿司|🥗 salad 沙拉|🍰 cake 蛋糕|🎂 birthday cake 生日|🍫 chocolate 巧克力|🍦 icecream 冰淇淋|☕ coffee 咖啡|🍵 tea 茶|🧋 bubble tea 奶茶|🍺 beer 啤酒|🍻 cheers 干杯|🍷 wine 红酒|🥂 toast champagne 香槟",
  ),
  group(
    "Activities",
    "活动",
    "🎉 party tada celebrate 庆祝|🎊 confetti 彩带|🎁 gift present 礼物|🎈 balloon 气球|🏮 lantern 灯笼|🧧 red envelope 红包|🎆 fireworks 烟花|🏆 trophy win 奖杯|🥇 gold medal 金牌|⚽ football soccer 足球|🏀 basketball 篮球|🏓 ping pong 乒乓|🎮 game 游戏|🎲 dice 骰子|🎯 target 目标|🎵 music 音乐|🎤 sing microphone 唱歌|🎸 guitar 吉他|🎬 movie film 电影|🎨 art 画|📷 camera photo 相机|✈️ plane flight 飞机|🛫 takeoff 起飞|🚀 rocket launch 火箭|🚗 car 汽车|🚕 taxi 出租车|🚄 train 火车 高铁|🚲 bike 自行车|🏠 home house 家|🏢 office 公司|🏥 hospital 医院|🏖️ beach 海滩|⛰️ mountain 山|🗺️ map 地图",
  ),
  group(
    "Objects",
    "物品",
    "📱 phone 手机|💻 laptop computer 电脑|⌨️ keyboard 键盘|🖨️ printer 打印|💡 idea lamp 想法 灯|🔋 battery 电池|🔌 plug 插头|🔑 key 钥匙|🔒 lock 锁|🔧 wrench fix 修|🔨 hammer 锤|⚙️ settings gear 设置|📦 package box 包裹|📎 clip attach 附件|📌 pin 图钉|📝 note memo 笔记|📖 book read 书|📅 calendar date 日历|📈 chart up 上涨|📉 chart down 下跌|💰 money 钱|💳 card pay 付款|✉️ mail letter 信|📬 mailbox 邮箱|🔔 bell 铃|⏰ alarm clock 闹钟|⏳ wait hourglass 等|🗑️ trash delete 删除|✅ done check yes 完成 对|❌ no cross wrong 错|⚠️ warning 警告|❓ question 问|❗ important 注意|➕ plus 加|➡️ right 右|🔗 link 链接|🆗 ok 好|🆕 new 新|🐛 bug 虫 缺陷|🚧 construction wip 施工|🎓 graduate 毕业|💼 work briefcase 工作|🏳️ flag white 白旗|🏁 finish flag 终点",
  ),
];
