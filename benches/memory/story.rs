//! Conversations of two, put together from written stories and small talk: which
//! stories, who tells them, on which days and with which details follows from a seed.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::{Date, date};

/// A small generator of numbers, so that a seed gives the same conversation anywhere.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// A number below another.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// A question as written: its kind, the tags of its evidence and its text.
type Question = (String, Vec<String>, String);

/// A story as written.
#[derive(Debug, Clone, Default)]
pub struct Story {
    scenes: Vec<Vec<(char, String, String)>>,
    questions: Vec<Question>,
}

/// Reads a file of stories.
pub fn stories(text: &str) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        if line.starts_with("==") {
            stories.push(Story {
                scenes: vec![Vec::new()],
                ..Story::default()
            });
            continue;
        }
        let Some(story) = stories.last_mut() else {
            continue;
        };
        if line == "--" {
            story.scenes.push(Vec::new());
        } else if let Some(question) = line.strip_prefix("? ") {
            let mut parts = question.splitn(3, ' ').map(str::to_owned);
            if let (Some(kind), Some(tags), Some(text)) = (parts.next(), parts.next(), parts.next())
            {
                let tags = tags.split(',').map(str::to_owned).collect();
                story.questions.push((kind, tags, text));
            }
        } else if let (Some((head, said)), Some(scene)) =
            (line.split_once(' '), story.scenes.last_mut())
        {
            let tag = head.split_once('+').map_or("", |(_, tag)| tag);
            scene.push((
                head.chars().next().unwrap_or('A'),
                tag.to_owned(),
                said.to_owned(),
            ));
        }
    }
    stories
}

/// A turn of a conversation.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who says it.
    pub speaker: String,
    /// What is said.
    pub said: String,
    /// In which session, from nought.
    pub session: usize,
    /// When, in microseconds.
    pub at: i64,
}

/// A question about a conversation.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its kind.
    pub kind: String,
    /// Its text.
    pub text: String,
    /// Positions of the turns that answer it, or show that it is mistaken.
    pub evidence: Vec<usize>,
}

/// A conversation and questions about it.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// Its turns in order.
    pub turns: Vec<Turn>,
    /// Questions about it.
    pub asked: Vec<Asked>,
}

const NAMES: [(&str, &str); 10] = [
    ("Maya", "Daniel"),
    ("Elena", "Marcus"),
    ("Ruth", "Kenji"),
    ("Aisha", "Patrick"),
    ("Clara", "Diego"),
    ("Ingrid", "Samuel"),
    ("Noor", "Victor"),
    ("Hannah", "Ravi"),
    ("Beatriz", "Owen"),
    ("Yuki", "Leon"),
];
/// How many questions of each kind a conversation has.
const KINDS: [(&str, usize); 5] = [
    ("single", 14),
    ("multi", 8),
    ("temporal", 7),
    ("open", 4),
    ("adversarial", 7),
];
const TURNS: usize = 300;
const SESSIONS: usize = 20;
const TOLD: usize = 26;

/// Makes a conversation of some stories.
pub fn conversation(stories: &[Story], chatter: &[&str], seed: u64) -> Conversation {
    let mut dice = Dice::new(seed);
    let names = NAMES[seed as usize % NAMES.len()];
    let days = days(&mut dice);
    let mut chosen: Vec<&Story> = stories.iter().collect();
    dice.shuffle(&mut chosen);
    // What is told in which session: the story, its scene and who is A.
    let mut plan: Vec<Vec<(usize, usize)>> = vec![Vec::new(); SESSIONS];
    let mut swapped = Vec::new();
    let mut written = 0;
    chosen.truncate(TOLD);
    chosen.retain(|story| {
        written += story.scenes.iter().map(Vec::len).sum::<usize>();
        written <= TURNS - 40
    });
    for (number, story) in chosen.iter().enumerate() {
        swapped.push(dice.below(2) == 1);
        let mut sessions: Vec<usize> = (0..SESSIONS).collect();
        dice.shuffle(&mut sessions);
        sessions.truncate(story.scenes.len());
        sessions.sort_unstable();
        for (scene, session) in sessions.into_iter().enumerate() {
            plan[session].push((number, scene));
        }
    }
    let mut made = Conversation::default();
    let mut tagged: HashMap<(usize, &str), usize> = HashMap::new();
    let mut details: BTreeMap<(usize, String), String> = BTreeMap::new();
    let mut firsts: HashMap<usize, Date> = HashMap::new();
    let told: usize = chosen.iter().flat_map(|s| &s.scenes).map(Vec::len).sum();
    let mut small: Vec<&str> = chatter.to_vec();
    dice.shuffle(&mut small);
    let mut small = small.into_iter().cycle();
    let spare = TURNS.saturating_sub(told) / 2;
    for session in 0..SESSIONS {
        let mut scenes = std::mem::take(&mut plan[session]);
        dice.shuffle(&mut scenes);
        let talk = spare * (session + 1) / SESSIONS - spare * session / SESSIONS;
        let mut blocks: Vec<Option<(usize, usize)>> = scenes.into_iter().map(Some).collect();
        blocks.extend(std::iter::repeat_n(None, talk));
        dice.shuffle(&mut blocks);
        let begin = days[session].at(18, 0, 0, 0);
        let mut minute = 0;
        let mut say = |who: bool, said: String, made: &mut Conversation| {
            let time = begin.saturating_add(jiff::Span::new().minutes(minute));
            minute += 1;
            made.turns.push(Turn {
                speaker: if who { names.0 } else { names.1 }.to_owned(),
                said,
                session,
                at: time
                    .to_zoned(jiff::tz::TimeZone::UTC)
                    .map_or(0, |t| t.timestamp().as_microsecond()),
            });
            made.turns.len() - 1
        };
        for block in blocks {
            let Some((number, scene)) = block else {
                let swap = dice.below(2) == 1;
                let line = small.next().unwrap_or_default();
                for (n, said) in line.split('|').enumerate() {
                    let said = fill(said, names, swap);
                    say((n == 0) != swap, said, &mut made);
                }
                continue;
            };
            firsts.entry(number).or_insert(days[session]);
            for (who, tag, said) in &chosen[number].scenes[scene] {
                let said = detail(said, number, &mut details, &mut dice);
                let said = fill(&said, names, swapped[number]);
                let at = say((*who == 'A') != swapped[number], said, &mut made);
                if !tag.is_empty() {
                    tagged.insert((number, tag), at);
                }
            }
        }
    }
    let mut questions: Vec<(usize, &Question)> = chosen
        .iter()
        .enumerate()
        .flat_map(|(n, s)| s.questions.iter().map(move |q| (n, q)))
        .collect();
    dice.shuffle(&mut questions);
    for (kind, count) in KINDS {
        let of = questions
            .iter()
            .filter(|(_, question)| question.0 == kind)
            .take(count);
        for (number, (_, tags, text)) in of {
            let text = detail(text, *number, &mut details, &mut dice);
            let mut text = fill(&text, names, swapped[*number]);
            if let Some(first) = firsts.get(number) {
                text = text
                    .replace("{D1}", &first.strftime("%-d %B, %Y").to_string())
                    .replace("{M1}", &first.strftime("%B %Y").to_string());
            }
            let evidence = tags
                .iter()
                .filter_map(|tag| tagged.get(&(*number, tag.as_str())).copied())
                .collect();
            made.asked.push(Asked {
                kind: kind.to_owned(),
                text,
                evidence,
            });
        }
    }
    made
}

/// Days of the sessions, four to sixteen apart.
fn days(dice: &mut Dice) -> Vec<Date> {
    let mut day = date(2022, 1, 3).saturating_add(jiff::Span::new().days(dice.below(500) as i64));
    (0..SESSIONS)
        .map(|_| {
            day = day.saturating_add(jiff::Span::new().days(4 + dice.below(13) as i64));
            day
        })
        .collect()
}

fn fill(text: &str, names: (&str, &str), swap: bool) -> String {
    let (a, b) = if swap { (names.1, names.0) } else { names };
    text.replace("{A}", a).replace("{B}", b)
}

/// Picks a story's details where they are first said, and says them again.
fn detail(
    text: &str,
    story: usize,
    details: &mut BTreeMap<(usize, String), String>,
    dice: &mut Dice,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let Some((slot, after)) = after.split_once(']') else {
            break;
        };
        let (key, options) = slot.split_once('=').unwrap_or((slot, ""));
        let options: Vec<&str> = options.split('|').collect();
        let pick = options[dice.below(options.len())].to_owned();
        out.push_str(details.entry((story, key.to_owned())).or_insert(pick));
        rest = after;
    }
    out + rest
}
