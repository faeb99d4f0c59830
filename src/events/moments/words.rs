//! Numbers for texts, which are compared and counted far faster than the texts. A
//! project's texts are numbered when events are folded and keep their numbers; what is
//! not folded yet has numbers that hold within one reading.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, Value};

use crate::db::Tx;
use crate::db::sql::{execute, ladder, placeholders, row, rows, tuples};
use crate::error::{Error, Result};

/// Numbers from here on hold within one reading only.
const PASSING: u32 = 1 << 31;

/// The texts of a project that are known so far.
#[derive(Debug, Default)]
pub(super) struct Words {
    numbers: HashMap<String, u32>,
    texts: HashMap<u32, String>,
    passing: u32,
}

impl Words {
    /// The number of a text, a passing one if it is not known; zero of an empty one.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = PASSING + self.passing;
        self.passing += 1;
        self.learn(number, text.to_owned());
        number
    }

    /// The text of a number.
    pub(super) fn text(&self, number: u32) -> Option<&str> {
        self.texts.get(&number).map(String::as_str)
    }

    /// Whether a text has a number that stays.
    pub(super) fn is_kept(number: u32) -> bool {
        (1..PASSING).contains(&number)
    }

    fn learn(&mut self, number: u32, text: String) {
        self.numbers.insert(text.clone(), number);
        self.texts.insert(number, text);
    }

    /// Looks up what numbers texts have that are not known here.
    pub(super) async fn look_up(
        &mut self,
        read: &impl ConnectionTrait,
        project: i64,
        texts: impl IntoIterator<Item = &str>,
    ) -> Result<()> {
        let unknown = texts.into_iter().filter(|text| {
            let known = text.is_empty() || self.numbers.contains_key(*text);
            !known
        });
        let unknown: Vec<&str> = unknown.collect();
        for chunk in ladder(&unknown) {
            let sql = format!(
                "SELECT number, text FROM event_word WHERE project = $1 AND text IN ({})",
                placeholders(2, chunk.len())
            );
            let values = chunk.iter().map(|text| Value::from(*text));
            self.read(read, &sql, std::iter::once(project.into()).chain(values))
                .await?;
        }
        Ok(())
    }

    /// Looks up the texts of numbers that are not known here.
    pub(super) async fn look_back(
        &mut self,
        read: &impl ConnectionTrait,
        project: i64,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<()> {
        let unknown = numbers
            .into_iter()
            .filter(|number| Self::is_kept(*number) && !self.texts.contains_key(number));
        let unknown: Vec<u32> = unknown.collect();
        for chunk in ladder(&unknown) {
            let sql = format!(
                "SELECT number, text FROM event_word WHERE project = $1 AND number IN ({})",
                placeholders(2, chunk.len())
            );
            let values = chunk.iter().map(|number| Value::from(i64::from(*number)));
            self.read(read, &sql, std::iter::once(project.into()).chain(values))
                .await?;
        }
        Ok(())
    }

    async fn read(
        &mut self,
        read: &impl ConnectionTrait,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<()> {
        for row in rows(read, sql, values).await? {
            let number: i64 = row.try_get("", "number")?;
            self.learn(number as u32, row.try_get("", "text")?);
        }
        Ok(())
    }

    /// Gives numbers that stay to all texts that have passing ones; answers what is to
    /// be written, and what passing numbers became.
    pub(super) async fn settle(
        self,
        read: &impl ConnectionTrait,
        project: i64,
    ) -> Result<(Vec<NewWord>, HashMap<u32, u32>)> {
        let mut texts: Vec<(u32, String)> = self.texts.into_iter().collect();
        texts.sort();
        let mut known = Self::default();
        let all = texts.iter().map(|(_, text)| text.as_str());
        known.look_up(read, project, all).await?;
        let mut last = None;
        let (mut added, mut settled) = (Vec::new(), HashMap::new());
        for (passing, text) in texts {
            if let Some(number) = known.numbers.get(&text) {
                settled.insert(passing, *number);
                continue;
            }
            let before = match last {
                Some(last) => last,
                None => highest(read, project).await?,
            };
            let number = before + 1;
            if number == PASSING {
                return Err(Error::internal("a project has too many different texts"));
            }
            last = Some(number);
            settled.insert(passing, number);
            added.push(NewWord {
                project,
                number,
                text,
            });
        }
        Ok((added, settled))
    }
}

/// The highest number of a project's texts.
async fn highest(read: &impl ConnectionTrait, project: i64) -> Result<u32> {
    let sql = "SELECT MAX(number) AS last FROM event_word WHERE project = $1";
    let last: Option<i64> = match row(read, sql, [project.into()]).await? {
        Some(row) => row.try_get("", "last")?,
        None => None,
    };
    Ok(last.unwrap_or(0) as u32)
}

/// A text that is given a number.
#[derive(Debug)]
pub(super) struct NewWord {
    project: i64,
    number: u32,
    text: String,
}

/// Writes texts with their numbers.
pub(super) async fn write(tx: &Tx, words: &[NewWord]) -> Result<()> {
    for chunk in ladder(words) {
        let tuples = tuples(tx.get_database_backend(), 3, chunk.len());
        let sql = format!("INSERT INTO event_word (project, number, text) VALUES {tuples}");
        let values = chunk.iter().flat_map(|word| -> [Value; 3] {
            [
                word.project.into(),
                i64::from(word.number).into(),
                word.text.as_str().into(),
            ]
        });
        execute(tx, &sql, values).await?;
    }
    Ok(())
}
