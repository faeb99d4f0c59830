//! Why JSON could not be read: what is wrong, and where, as a JSON path.

use std::fmt::{self, Display};

/// A fault in a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, worded to follow the path: "must be a string".
    pub what: String,
    /// Whether the text is no JSON at all, rather than JSON of another shape.
    pub syntax: bool,
    /// Whether it is a word its enum does not know, which who ignores unknown
    /// members ignores too.
    pub unknown_word: bool,
    /// Whether it is a whole number its type cannot hold.
    pub out_of_range: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Index(usize),
}

/// The result of reading JSON.
pub type Parsed<T> = Result<T, Fault>;

impl Fault {
    /// JSON of another shape than the message's.
    pub fn shape(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            syntax: false,
            unknown_word: false,
            out_of_range: false,
            steps: Vec::new(),
        }
    }

    /// No JSON at all.
    pub fn syntax(what: &str, at: usize) -> Self {
        Self {
            what: format!("is not valid JSON: {what} at byte {at}"),
            syntax: true,
            unknown_word: false,
            out_of_range: false,
            steps: Vec::new(),
        }
    }

    /// Says that the fault is inside this member.
    pub fn in_member(mut self, name: &str) -> Self {
        self.steps.push(Step::Member(name.to_owned()));
        self
    }

    /// Says that the fault is inside this element.
    pub fn in_element(mut self, index: usize) -> Self {
        self.steps.push(Step::Index(index));
        self
    }

    /// The same fault, told of a field with bounds of its own, which say more than
    /// those of its type.
    pub fn within(mut self, bounds: Option<(i128, i128)>) -> Self {
        if let Some((least, most)) = bounds.filter(|_| self.out_of_range) {
            self.what = format!("must be between {least} and {most}");
        }
        self
    }

    /// The fault in words of what it is in, such as `The body`, for want of a path.
    pub fn of(&self, whole: &str) -> String {
        match self.path() {
            path if path.is_empty() || self.syntax => format!("{whole} {}", self.what),
            path => format!("{path} {}", self.what),
        }
    }

    /// Where the fault is, such as `events[2].price`; empty for the whole text.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Member(name) if path.is_empty() => path.push_str(name),
                Step::Member(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of("The body"))
    }
}
