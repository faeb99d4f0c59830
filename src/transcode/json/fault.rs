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
            steps: Vec::new(),
        }
    }

    /// No JSON at all.
    pub fn syntax(what: &str, at: usize) -> Self {
        Self {
            what: format!("is not valid JSON: {what} at byte {at}"),
            syntax: true,
            unknown_word: false,
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
        let path = self.path();
        if path.is_empty() || self.syntax {
            return write!(f, "The body {}", self.what);
        }
        write!(f, "{path} {}", self.what)
    }
}
