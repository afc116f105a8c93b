//! How much a text looks like an advertisement: features that are counted, weights that are added. One pass over the folded
//! letters; no word of it is wrong on its own, so the weights of what people write every day stay far below the bound.

use std::sync::LazyLock;

use super::normalise::{self, Gap, Place};
use super::words::{Matcher, Word};

/// A score from which on a text is an advertisement, unless an app says otherwise.
pub const SCORE_DEFAULT: u32 = 100;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feature {
    /// An address in the web.
    Link,
    /// A Chinese mobile number.
    Phone,
    /// Another number of at least six digits.
    LongNumber,
    /// A word for another messenger.
    Contact,
    /// Somebody's name in another messenger.
    ContactName,
    /// What only advertisements are about.
    Strong,
    /// What advertisements are about, and other texts too.
    Weak,
    /// Signs that take more than a third of the text.
    Signs,
}

/// The table: points of each, and how often it counts at most.
const WEIGHTS: [(Feature, u32, u32); 8] = [
    (Feature::Link, 35, 2),
    (Feature::Phone, 35, 1),
    (Feature::LongNumber, 15, 1),
    (Feature::Contact, 20, 1),
    (Feature::ContactName, 40, 1),
    (Feature::Strong, 55, 2),
    (Feature::Weak, 12, 4),
    (Feature::Signs, 10, 1),
];

const CONTACTS: &str = "微信 威信 薇信 维信 徽信 v信 vx wx wechat weixin 加v 加微 加我v qq 扣扣 企鹅号 whatsapp telegram 飞机号 电报群 line号";

const STRONG: &str = "代开发票 办证 刻章 刷单 刷信誉 刷钻 网赚 日结兼职 兼职日结 手机兼职 在家兼职 打字员 包赔 上分 下分 棋牌 彩票 博彩 时时彩 \
     百家乐 六合彩 私彩 下注 无抵押 贷款秒批 秒批 低息贷款 信用卡套现 套现 代办信用卡 网贷 高仿 A货 复刻表 微商代理 减肥药 增高药 壮阳 \
     刷粉 涨粉 代刷 外挂 私服 开户送 首充送 注册送 稳赚 内幕消息 荐股 牛股 带单 casino viagra cialis payday lottery forex";

const WEAK: &str = "免费 优惠 特价 促销 限时 秒杀 折扣 打折 加我 私聊 扫码 进群 加群 领取 红包 详情 咨询 赚钱 日入 月入 日赚 高薪 代理 招商 加盟 \
     包邮 推广 兼职 点击 链接 名额有限 全网最低 厂家直销 正品 一手货源 货源 诚招 投资 回报 提现 返利 返现 贷款 发票 free discount offer click \
     winner earn bonus promo subscribe guaranteed";

/// What ends the name of a place in the web.
const DOMAINS: [&str; 15] =
    ["com", "cn", "net", "org", "top", "xyz", "vip", "cc", "shop", "club", "site", "info", "biz", "link", "ru"];

const DIGITS_LONG: usize = 6;
const NAME_LETTERS_MIN: usize = 5;
/// Letters behind a word for a messenger within which a name may begin.
const NAME_WITHIN: usize = 8;
const SIGNS_LETTERS_MIN: usize = 10;

fn vocabulary() -> &'static Matcher<Feature> {
    static VOCABULARY: LazyLock<Matcher<Feature>> = LazyLock::new(|| {
        let lists = [(Feature::Contact, CONTACTS), (Feature::Strong, STRONG), (Feature::Weak, WEAK)];
        let mut words: Vec<(String, Feature)> = Vec::new();
        for (feature, list) in lists {
            words.extend(list.split_whitespace().map(|word| (normalise::letters(word), feature)));
        }
        let words = words.iter().map(|(letters, value)| Word { letters, phrase: false, value: *value });
        Matcher::new(words).expect("each of these few words is written once")
    });
    &VOCABULARY
}

/// The points of a text.
pub fn score(text: &str) -> u32 {
    let places = normalise::places(text);
    let mut counts = Counts::default();
    let mut contact_ends = Vec::new();
    vocabulary().hits(text, |hit| {
        counts.add(hit.value);
        if hit.value == Feature::Contact {
            // As the number of its last letter.
            contact_ends.push(places.partition_point(|place| place.start < hit.end).saturating_sub(1));
        }
    });
    count_runs(&places, &contact_ends, &mut counts);
    count_numbers(&places, &mut counts);
    let signs: usize = places.iter().map(|place| place.gap_characters).sum();
    if places.len() >= SIGNS_LETTERS_MIN && signs * 2 > places.len() {
        counts.add(Feature::Signs);
    }
    counts.points()
}

#[derive(Default)]
struct Counts([u32; WEIGHTS.len()]);

impl Counts {
    fn add(&mut self, feature: Feature) {
        self.0[feature as usize] += 1;
    }

    fn points(&self) -> u32 {
        let points = self.0.iter().zip(WEIGHTS).map(|(count, (_, weight, most))| weight * (*count).min(most));
        points.sum()
    }
}

/// Spelled letters without a gap: words, parts of addresses, names.
struct Run {
    first: usize,
    last: usize,
}

fn runs(places: &[Place]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, place) in places.iter().enumerate() {
        if !normalise::is_spelled(place.letter) {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.last + 1 == at && place.gap_characters == 0 => run.last = at,
            _ => runs.push(Run { first: at, last: at }),
        }
    }
    runs
}

fn count_runs(places: &[Place], contact_ends: &[usize], counts: &mut Counts) {
    let runs = runs(places);
    let word = |run: &Run| places[run.first..=run.last].iter().map(|place| place.letter).collect::<String>();
    for (number, run) in runs.iter().enumerate() {
        let length = run.last + 1 - run.first;
        let before = &places[run.first];
        let single_sign = before.gap_characters == 1 && matches!(before.gap, Gap::Symbol | Gap::Stop);
        let follows = number > 0 && runs[number - 1].last + 1 == run.first && single_sign;
        if (2..=4).contains(&length) && follows && DOMAINS.contains(&word(run).as_str()) {
            counts.add(Feature::Link);
        }
        if length <= 5 && matches!(word(run).as_str(), "http" | "https" | "www") {
            counts.add(Feature::Link);
        }
        let after_contact = contact_ends.partition_point(|end| *end < run.first);
        let near = after_contact > 0 && run.first - contact_ends[after_contact - 1] <= NAME_WITHIN;
        if near && length >= NAME_LETTERS_MIN && is_name(&places[run.first..=run.last]) {
            counts.add(Feature::ContactName);
        }
    }
}

/// A name rather than a word: it has digits, or is introduced by a sign.
fn is_name(letters: &[Place]) -> bool {
    letters[0].gap == Gap::Stop || letters.iter().any(|place| place.letter.is_ascii_digit())
}

/// Numbers, also in Chinese digits or with something between the digits.
fn count_numbers(places: &[Place], counts: &mut Counts) {
    let mut digits: Vec<u8> = Vec::new();
    for place in places {
        let digit = digit(place.letter);
        let goes_on = digit.is_some() && (place.gap_characters <= 2 && place.gap != Gap::Stop);
        if !goes_on {
            count_number(&digits, counts);
            digits.clear();
        }
        digits.extend(digit);
    }
    count_number(&digits, counts);
}

fn count_number(digits: &[u8], counts: &mut Counts) {
    match digits {
        [1, 3..=9, rest @ ..] if rest.len() == 9 => counts.add(Feature::Phone),
        digits if digits.len() >= DIGITS_LONG => counts.add(Feature::LongNumber),
        _ => {}
    }
}

fn digit(letter: char) -> Option<u8> {
    const CHINESE: [(char, u8); 21] = [
        ('零', 0),
        ('〇', 0),
        ('一', 1),
        ('二', 2),
        ('三', 3),
        ('四', 4),
        ('五', 5),
        ('六', 6),
        ('七', 7),
        ('八', 8),
        ('九', 9),
        ('壹', 1),
        ('贰', 2),
        ('叁', 3),
        ('肆', 4),
        ('伍', 5),
        ('陆', 6),
        ('柒', 7),
        ('捌', 8),
        ('玖', 9),
        ('幺', 1),
    ];
    match letter.to_digit(10) {
        Some(digit) => Some(digit as u8),
        None if letter.is_ascii() => None,
        None => CHINESE.iter().find(|(sign, _)| *sign == letter).map(|(_, digit)| *digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_counted_as_their_table_says() {
        for (feature, place) in WEIGHTS.iter().zip(0..) {
            assert_eq!(feature.0 as usize, place, "the table is in the order of the features");
        }
        let of = |text| score(text);
        assert_eq!(of("你好，今天天气不错"), 0);
        assert_eq!(of("电话 138-0013-8000"), 35);
        assert_eq!(of("一三八〇〇一三八〇〇〇"), 35, "in Chinese digits");
        assert_eq!(of("订单号 20260101123456"), 15);
        assert_eq!(of("see example.com"), 35);
        assert_eq!(of("https://example.com/path"), 70);
        assert_eq!(of("etc. com pany"), 0);
        assert_eq!(of("我的v信：abcde"), 60);
        assert_eq!(of("加微❤️信 hello2026"), 60);
        assert_eq!(of("freedom offers"), 0, "whole words");
        assert_eq!(of("!!!!!!!!! hello world"), 10);
    }

    #[test]
    fn advertisements_reach_the_bound() {
        let missed = of_corpus(include_str!("corpus/advertisements.txt"), |score| score < SCORE_DEFAULT);
        assert_eq!(missed, [(0, ""); 0]);
    }

    #[test]
    fn what_people_write_does_not() {
        let hit = of_corpus(include_str!("corpus/everyday.txt"), |score| score >= SCORE_DEFAULT);
        assert_eq!(hit, [(0, ""); 0]);
    }

    fn of_corpus(corpus: &str, wrong: fn(u32) -> bool) -> Vec<(u32, &str)> {
        corpus.lines().map(|text| (score(text), text)).filter(|(score, _)| wrong(*score)).collect()
    }
}
