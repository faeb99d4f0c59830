//! How well memories are found: recall at ten and mean reciprocal rank over
//! conversations written for this project, beside plain BM25; and what a question costs
//! one user with 5,000 memories. Constants are chosen on the first half of the
//! conversations alone, the second half is the one to report.

mod plain;
mod story;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use apex::products::memory::engine::decay::State;
use apex::products::memory::engine::index::{Document, Index, Reading, Tuning};
use apex::products::memory::engine::presets;
use apex::products::memory::engine::retrieve::{Request, retrieve};
use apex::products::memory::engine::score;
use story::{Asked, Conversation, Turn};
use uuid::Uuid;

/// Sums of one kind of question.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    questions: f64,
    recall: f64,
    reciprocal: f64,
}

impl Sums {
    fn add(&mut self, asked: &Asked, ranked: &[usize]) {
        let wanted = asked.evidence.len().max(1) as f64;
        let held = ranked
            .iter()
            .take(10)
            .filter(|turn| asked.evidence.contains(turn))
            .count();
        let first = ranked.iter().position(|turn| asked.evidence.contains(turn));
        self.questions += 1.0;
        self.recall += held as f64 / wanted;
        self.reciprocal += first.map_or(0.0, |at| 1.0 / (at + 1) as f64);
    }

    fn join(self, other: Self) -> Self {
        Self {
            questions: self.questions + other.questions,
            recall: self.recall + other.recall,
            reciprocal: self.reciprocal + other.reciprocal,
        }
    }
}

type Table = BTreeMap<String, Sums>;

fn all(table: &Table) -> Sums {
    table.values().copied().fold(Sums::default(), Sums::join)
}

/// The index of a conversation, each memory numbered by its turn.
fn index<'a>(turns: impl Iterator<Item = &'a Turn>) -> Index {
    let mut index = Index::default();
    for (number, turn) in turns.enumerate() {
        let scored = score::score(
            &turn.said,
            score::Role::User,
            &score::History::default(),
            &score::Weights::default(),
        );
        index.insert(&Document {
            id: Uuid::from_u128(number as u128),
            session: Some(&turn.session.to_string()),
            at: turn.at,
            reading: Reading::of(&turn.said, Some(&turn.speaker), turn.at),
            state: State {
                base: scored.base,
                reinforced_at: turn.at,
                ..State::default()
            },
            spikes: &[],
            pinned: false,
        });
    }
    index
}

/// A day after the last turn.
fn now(turns: &[Turn]) -> i64 {
    turns.last().map_or(0, |turn| turn.at) + 86_400_000_000
}

/// What a search alone finds.
fn searched(conversations: &[Conversation], tuning: &Tuning) -> Table {
    let mut table = Table::new();
    for conversation in conversations {
        let index = index(conversation.turns.iter());
        for asked in &conversation.asked {
            let question = index.question(&asked.text, now(&conversation.turns));
            let found = index.search(&question, tuning, 20);
            let ranked: Vec<usize> = found
                .iter()
                .map(|found| found.id.as_u128() as usize)
                .collect();
            table
                .entry(asked.kind.clone())
                .or_default()
                .add(asked, &ranked);
        }
    }
    table
}

/// What an application is told.
fn told(conversations: &[Conversation]) -> Table {
    let profile = &presets::PRESETS[0].effective;
    let mut table = Table::new();
    for conversation in conversations {
        let index = index(conversation.turns.iter());
        for asked in &conversation.asked {
            let request = Request {
                text: &asked.text,
                now: now(&conversation.turns),
                limit: 20,
                profile,
                alike: &[],
            };
            let hits = retrieve(&index, &request);
            let ranked: Vec<usize> = hits.iter().map(|hit| hit.id.as_u128() as usize).collect();
            table
                .entry(asked.kind.clone())
                .or_default()
                .add(asked, &ranked);
        }
    }
    table
}

fn plainly(conversations: &[Conversation], share: f64) -> Table {
    let mut table = Table::new();
    for conversation in conversations {
        let texts: Vec<String> = conversation
            .turns
            .iter()
            .map(|turn| format!("{}: {}", turn.speaker, turn.said))
            .collect();
        let plain = plain::Plain::new(&texts);
        for asked in &conversation.asked {
            let ranked = plain.search(&asked.text, share);
            table
                .entry(asked.kind.clone())
                .or_default()
                .add(asked, &ranked);
        }
    }
    table
}

fn main() -> std::io::Result<()> {
    let first = story::stories(include_str!("first.txt"));
    let second = story::stories(include_str!("second.txt"));
    let chatter: Vec<&str> = include_str!("chatter.txt")
        .lines()
        .filter(|line| line.contains('|'))
        .collect();
    let make = |stories: &[story::Story], seeds: std::ops::Range<u64>| -> Vec<Conversation> {
        seeds
            .map(|seed| story::conversation(stories, &chatter, seed))
            .collect()
    };
    let halves = [make(&first, 0..5), make(&second, 5..10)];
    let out = &mut std::io::stdout();
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    match arguments.next().as_deref() {
        Some("sweep") => {
            return sweep(out, &make(&first, 200..220), &arguments.collect::<Vec<_>>());
        }
        Some("conversations") => return told_of(out, &halves),
        Some("talk") => return talk(out, &make(&first, 100..109), &make(&second, 109..118)),
        Some("misses") => return misses(out, &halves[usize::from(arguments.next().is_some())]),
        _ => {}
    }
    quality(out, &halves)?;
    speed(out, &make(&first, 100..109), &make(&second, 109..118))
}

fn quality(out: &mut impl Write, halves: &[Vec<Conversation>; 2]) -> std::io::Result<()> {
    let turns: usize = halves.iter().flatten().map(|c| c.turns.len()).sum();
    let questions: usize = halves.iter().flatten().map(|c| c.asked.len()).sum();
    writeln!(
        out,
        "{} conversations, {turns} turns, {questions} questions.\n",
        halves[0].len() + halves[1].len()
    )?;
    for (name, half) in ["chosen on", "reported"].iter().zip(halves) {
        let rows = [
            ("plain BM25", plainly(half, 0.0)),
            ("BM25 and neighbours", plainly(half, 0.3)),
            ("search", searched(half, &Tuning::default())),
            ("told", told(half)),
        ];
        writeln!(
            out,
            "| {name} | recall@10 | MRR | {} |",
            rows[0].1.keys().cloned().collect::<Vec<_>>().join(" | ")
        )?;
        writeln!(out, "|---|---|---|{}", "---|".repeat(rows[0].1.len()))?;
        for (row, table) in rows {
            let sums = all(&table);
            write!(
                out,
                "| {row} | {:.3} | {:.3} |",
                sums.recall / sums.questions,
                sums.reciprocal / sums.questions
            )?;
            for sums in table.values() {
                write!(out, " {:.3} |", sums.recall / sums.questions)?;
            }
            writeln!(out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The conversations of both halves and the questions about them as JSON, for whoever asks
/// a server.
fn told_of(out: &mut impl Write, halves: &[Vec<Conversation>; 2]) -> std::io::Result<()> {
    let asked = |asked: &Asked| {
        serde_json::json!({
            "kind": asked.kind,
            "text": asked.text,
            "evidence": asked.evidence,
        })
    };
    let conversation = |own: &Conversation| {
        serde_json::json!({
            "turns": own.turns.iter().map(told_turn).collect::<Vec<_>>(),
            "asked": own.asked.iter().map(asked).collect::<Vec<_>>(),
        })
    };
    let halves: Vec<Vec<_>> = halves
        .iter()
        .map(|half| half.iter().map(conversation).collect())
        .collect();
    writeln!(out, "{}", serde_json::Value::from(halves))
}

fn told_turn(turn: &Turn) -> serde_json::Value {
    serde_json::json!({
        "content": turn.said,
        "speaker": turn.speaker,
        "session_id": turn.session.to_string(),
        "at": turn.at,
    })
}

/// 5,000 turns of conversations, as of one user.
fn one_user(first: &[Conversation], second: &[Conversation]) -> Vec<Turn> {
    let all = first.iter().chain(second).enumerate();
    let turns = all.flat_map(|(number, conversation)| {
        conversation.turns.iter().map(move |turn| Turn {
            session: turn.session + 100 * number,
            ..turn.clone()
        })
    });
    turns.take(5000).collect()
}

/// The same and the questions about it as JSON, for whoever measures a server.
fn talk(
    out: &mut impl Write,
    first: &[Conversation],
    second: &[Conversation],
) -> std::io::Result<()> {
    let turns: Vec<_> = one_user(first, second).iter().map(told_turn).collect();
    let asked = first.iter().chain(second).flat_map(|c| &c.asked);
    let asked: Vec<_> = asked.map(|asked| asked.text.as_str()).collect();
    let talk = serde_json::json!({"turns": turns, "asked": asked});
    writeln!(out, "{talk}")
}

/// One user with 5,000 memories of all conversations.
fn speed(
    out: &mut impl Write,
    first: &[Conversation],
    second: &[Conversation],
) -> std::io::Result<()> {
    let turns = one_user(first, second);
    let begun = Instant::now();
    let index = index(turns.iter());
    let built = begun.elapsed();
    let profile = &presets::PRESETS[0].effective;
    let mut times: Vec<f64> = Vec::new();
    for asked in first.iter().chain(second).flat_map(|c| &c.asked) {
        let request = Request {
            text: &asked.text,
            now: now(&turns),
            limit: 20,
            profile,
            alike: &[],
        };
        let begun = Instant::now();
        let hits = retrieve(&index, &request);
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        assert!(!hits.is_empty());
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    writeln!(
        out,
        "One user, {} memories: {} questions, p50 {:.3} ms, p95 {:.3} ms, max {:.3} ms; scored and built in {:.0} ms; {} bytes, {} a memory.",
        index.len(),
        times.len(),
        at(0.5),
        at(0.95),
        at(0.999),
        built.as_secs_f64() * 1e3,
        index.bytes(),
        index.bytes() / index.len()
    )
}

type Set = fn(&mut Tuning, f32);

/// The constants and values to try.
const TRIED: [(&str, Set, &[f32]); 15] = [
    ("k1", |t, v| t.k1 = v, &[0.4, 0.6, 0.9, 1.2]),
    ("b", |t, v| t.b = v, &[0.1, 0.2, 0.3, 0.4, 0.55]),
    (
        "neighbour",
        |t, v| t.neighbour = v,
        &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
    ),
    ("further", |t, v| t.further = v, &[0.0, 0.1, 0.2, 0.3, 0.4]),
    ("answer", |t, v| t.answer = v, &[0.3, 0.4, 0.5, 0.6, 0.7]),
    ("asking", |t, v| t.asking = v, &[0.6, 0.7, 0.8, 0.9, 1.0]),
    (
        "speaker",
        |t, v| t.speaker = v,
        &[1.0, 1.1, 1.25, 1.4, 1.6, 2.0],
    ),
    ("timed", |t, v| t.timed = v, &[1.0, 1.2, 1.4, 1.6]),
    (
        "related",
        |t, v| t.related = v,
        &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
    ),
    (
        "meant",
        |t, v| t.meant = v,
        &[0.0, 0.05, 0.1, 0.2, 0.3, 0.4],
    ),
    ("dated", |t, v| t.dated = v, &[0.0, 0.5, 1.0, 2.0]),
    ("expansion", |t, v| t.expansion = v, &[0.0, 0.1, 0.2, 0.3]),
    (
        "followed",
        |t, v| t.followed = v as usize,
        &[10.0, 20.0, 40.0, 80.0, 400.0],
    ),
    (
        "seeds",
        |t, v| t.seeds = v as usize,
        &[3.0, 8.0, 15.0, 20.0],
    ),
    ("own", |t, v| t.own = v, &[1.0, 1.15, 1.3, 1.5]),
];

/// What changing one constant at a time does, on the first half; `name=value` sets
/// others before.
fn sweep(out: &mut impl Write, half: &[Conversation], given: &[String]) -> std::io::Result<()> {
    let mut start = Tuning::default();
    for (name, value) in given.iter().filter_map(|given| given.split_once('=')) {
        if let (Some((_, set, _)), Ok(value)) =
            (TRIED.iter().find(|tried| tried.0 == name), value.parse())
        {
            set(&mut start, value);
        }
    }
    let row = |out: &mut dyn Write, name: &str, tuning: &Tuning| -> std::io::Result<()> {
        let table = searched(half, tuning);
        let sums = all(&table);
        write!(
            out,
            "{name:16} {:.4} {:.4} |",
            sums.recall / sums.questions,
            sums.reciprocal / sums.questions
        )?;
        for (kind, sums) in table {
            write!(out, " {kind} {:.3}", sums.recall / sums.questions)?;
        }
        writeln!(out)
    };
    row(out, "start", &start)?;
    if given.iter().any(|given| given == "once") {
        return Ok(());
    }
    for (name, set, values) in TRIED {
        for value in values {
            let mut tuning = start.clone();
            set(&mut tuning, *value);
            if tuning != start {
                row(out, &format!("{name} {value}"), &tuning)?;
            }
        }
    }
    Ok(())
}

/// Questions whose evidence is not all among the first ten.
fn misses(out: &mut impl Write, half: &[Conversation]) -> std::io::Result<()> {
    for conversation in half {
        let index = index(conversation.turns.iter());
        for asked in &conversation.asked {
            let question = index.question(&asked.text, now(&conversation.turns));
            let found = index.search(&question, &Tuning::default(), 10);
            let ranked: Vec<usize> = found
                .iter()
                .map(|found| found.id.as_u128() as usize)
                .collect();
            if asked.evidence.iter().all(|turn| ranked.contains(turn)) {
                continue;
            }
            writeln!(
                out,
                "{} {}  {:?} {:?}",
                asked.kind,
                asked.text,
                question.words.iter().map(|w| &w.stem).collect::<Vec<_>>(),
                question
                    .words
                    .iter()
                    .map(|w| w.related.len() + w.meant.len())
                    .collect::<Vec<_>>()
            )?;
            for turn in asked.evidence.iter().filter(|turn| !ranked.contains(turn)) {
                writeln!(
                    out,
                    "   - {}: {}",
                    conversation.turns[*turn].speaker, conversation.turns[*turn].said
                )?;
            }
            for found in found.iter().take(3) {
                let turn = &conversation.turns[found.id.as_u128() as usize];
                writeln!(
                    out,
                    "   + {:.2} {}: {}",
                    found.score, turn.speaker, turn.said
                )?;
            }
        }
    }
    Ok(())
}
