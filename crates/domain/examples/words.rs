//! What it costs to judge texts with 100,000 words: `cargo run --release -p hongyan-domain --example words`.
//!
//! The words are random, of two to six characters; the texts are lines that people write every day, whole and put together
//! to the largest message. Words that occur in the texts are taken out, as a list that fits has few hits; then every
//! hundredth line gets one. Measured is `WordList::find`: folding, searching, and the closer look where something was found.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::time::Instant;

use hongyan_domain::spam::{Class, Likeness, SpamSettings, WordList, judge, normalise, score};

const WORDS: usize = 100_000;
const LINES: usize = 200_000;
/// What is shorter than that is measured by the clock.
const TICKS_S: f64 = 0.02;
const MESSAGE_BYTES: usize = 16 * 1024;
const CORPUS: &str = include_str!("../src/spam/corpus/everyday.txt");

/// A small generator (splitmix64), so that every run measures the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

fn words(random: &mut Random, text: &str) -> Vec<String> {
    let written: Vec<char> = text.chars().filter(|letter| matches!(letter, '\u{4E00}'..='\u{9FFF}')).collect();
    let mut words = std::collections::BTreeSet::new();
    while words.len() < WORDS {
        let letters = [2, 2, 3, 3, 3, 4, 4, 4, 5, 6][random.below(10)];
        let word: String = (0..letters)
            .map(|_| match random.below(2) {
                0 => written[random.below(written.len())],
                _ => char::from_u32(0x4E00 + random.below(6_000) as u32).expect("a Chinese character"),
            })
            .collect();
        if !text.contains(&normalise::letters(&word)) {
            words.insert(word);
        }
    }
    words.into_iter().collect()
}

/// Chinese text only, or the figure would be of something else.
fn chinese_lines() -> Vec<&'static str> {
    let chinese = |line: &&str| line.chars().filter(|letter| *letter > '\u{2E80}').count() * 2 > line.chars().count();
    CORPUS.lines().filter(chinese).collect()
}

/// Seconds that this thread has worked, so that other programs count as little as they can; where the system does not tell,
/// seconds on the clock.
fn worked(started: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| started.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// Prints the best of five runs.
fn report(what: &str, bytes: usize, texts: usize, run: impl Fn() -> usize) {
    let mut best = f64::MAX;
    let mut found = 0;
    let started = Instant::now();
    for _ in 0..5 {
        let (before, clock) = (worked(started), Instant::now());
        found = run();
        let (span, clock) = (worked(started) - before, clock.elapsed().as_secs_f64());
        // The system counts work in ticks of some milliseconds.
        best = best.min(if clock < TICKS_S { clock } else { span });
    }
    let speed = bytes as f64 / best / 1e6;
    let each = best * 1e9 / texts as f64;
    println!("{what:<44} {speed:>8.0} MB/s {each:>10.0} ns a text  {found} found");
}

fn slowest_us(texts: &[String], words: &WordList) -> (f64, f64) {
    let mut spans: Vec<f64> = texts
        .iter()
        .map(|text| {
            let started = Instant::now();
            std::hint::black_box(words.find(text));
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    spans.sort_by(f64::total_cmp);
    (spans[spans.len() * 99 / 100], spans[spans.len() - 1])
}

fn main() {
    let mut random = Random(1);
    let started = Instant::now();
    normalise::table();
    println!("the table of characters: {:.0} ms, once", started.elapsed().as_secs_f64() * 1e3);
    let corpus = chinese_lines();
    let list = words(&mut random, &normalise::letters(CORPUS)).join("\n");
    let started = Instant::now();
    let words = WordList::compile([(Class::Other, list.as_str())]).expect("not too many");
    let (count, bytes) = (words.words(), list.len());
    println!("{count} words, {bytes} bytes: compiled in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);

    let clean: Vec<String> = (0..LINES).map(|_| corpus[random.below(corpus.len())].to_owned()).collect();
    let bad = list.lines().next().expect("a word");
    let dirty: Vec<String> = clean
        .iter()
        .enumerate()
        .map(|(at, line)| if at % 100 == 0 { format!("{line}{bad}") } else { line.clone() })
        .collect();
    let long: Vec<String> = clean
        .join("，")
        .as_bytes()
        .chunks(MESSAGE_BYTES)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    let size = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    let find = |texts: &[String]| texts.iter().map(|text| words.find(text).len()).sum();
    report("lines without hits", size(&clean), clean.len(), || find(&clean));
    report("lines, every hundredth with a hit", size(&dirty), dirty.len(), || find(&dirty));
    report("texts of 16 KiB without hits", size(&long), long.len(), || find(&long));
    report("lines: folding alone", size(&clean), clean.len(), || {
        clean.iter().map(|text| normalise::letters(text).len()).sum::<usize>().min(1)
    });
    report("lines: score of an advertisement", size(&clean), clean.len(), || {
        clean.iter().filter(|text| score::score(text) >= score::SCORE_DEFAULT).count()
    });
    report("lines: likeness", size(&clean), clean.len(), || clean.iter().filter_map(|text| Likeness::of(text)).count());
    report("lines: judged by default, without a list", size(&clean), clean.len(), || {
        clean.iter().filter_map(|text| judge(text, None, &SpamSettings::default(), false)).count()
    });
    let (p99, most) = slowest_us(&dirty, &words);
    println!("one line: p99 {p99:.1} us, slowest {most:.1} us");
    let (p99, most) = slowest_us(&long, &words);
    println!("one text of 16 KiB: p99 {p99:.1} us, slowest {most:.1} us");
}
