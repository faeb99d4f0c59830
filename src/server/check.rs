//! Validation of requests: what the field options of the protos say, run on
//! every protocol after decoding. The build writes one [`Check`] per message.

use regex::Regex;

use crate::error::{Error, Result, Violation};
use crate::policy::{Body, Dialect, MethodSpec, RawJson};
use crate::transcode::json::{DEPTH, mask, raw};

/// A message that can be checked against its field options.
pub trait Check {
    /// Adds what is wrong with the message.
    fn check(&self, found: &mut Violations);

    /// What its update mask names, if it has one.
    fn update_mask(&self) -> &[String] {
        &[]
    }
}

/// Checks a message.
pub fn check(message: &dyn Check) -> Result<()> {
    let mut found = Violations::default();
    message.check(&mut found);
    found.told()
}

/// Checks the request of a method.
pub fn check_request(spec: &MethodSpec, request: &dyn Check) -> Result<()> {
    let mut found = Violations::default();
    found.mask(spec, request.update_mask());
    request.check(&mut found);
    let body = spec.bindings.first().map(|binding| &binding.body);
    match (spec.one_or_many, body) {
        (Some(name), _) => found.of_items(name),
        (None, Some(Body::Field(name))) if spec.dialect == Dialect::Feathers => {
            found.of_body(name);
        }
        (None, _) => {}
    }
    found.told()
}

/// Rules for a text.
#[derive(Debug)]
pub struct TextRule {
    /// Words for the field in messages.
    pub label: &'static str,
    /// Must not be empty.
    pub required: bool,
    /// Fewest bytes of a text that is not empty.
    pub min: u32,
    /// Most bytes.
    pub max: Option<u32>,
    /// Must match as a whole.
    pub pattern: Option<&'static Regex>,
}

/// What is wrong with a message so far.
#[derive(Debug, Default)]
pub struct Violations {
    list: Vec<Violation>,
    prefix: String,
}

impl Violations {
    fn told(self) -> Result<()> {
        if self.list.is_empty() {
            return Ok(());
        }
        Err(Error::violations(self.list))
    }

    /// A mask names what the method changes. What it named besides would not be
    /// changed, and nobody would say so.
    fn mask(&mut self, spec: &MethodSpec, paths: &[String]) {
        let Some(known) = spec.updatable else {
            return;
        };
        // The first is enough: a mask may name very many.
        if let Some(path) = paths.iter().find(|path| !known.contains(&path.as_str())) {
            let shown = mask::camel(path);
            let shown = shown.as_deref().unwrap_or(path);
            let words = format!("updateMask names `{shown}`, which is no member to change");
            self.add("updateMask", words);
        }
    }

    /// Names the members of items as a body does that is one item, or an array of them.
    fn of_items(&mut self, name: &str) {
        let one = format!("{name}[0].");
        let several = self.list.iter().any(|v| !v.field.starts_with(&one));
        for violation in &mut self.list {
            let own = violation
                .field
                .strip_prefix(if several { name } else { &one });
            if let Some(own) = own.filter(|own| !own.is_empty()) {
                violation.field = own.to_owned();
            }
        }
    }

    /// Names the members of a record as a body does that is the record.
    fn of_body(&mut self, name: &str) {
        for violation in &mut self.list {
            let own = violation.field.strip_prefix(name);
            if let Some(own) = own.and_then(|own| own.strip_prefix('.')) {
                violation.field = own.to_owned();
            }
        }
    }

    fn add(&mut self, field: &str, description: String) {
        let field = format!("{}{field}", self.prefix);
        self.list.push(Violation { field, description });
    }

    /// Checks a nested message.
    pub fn within(&mut self, field: &str, message: &impl Check) {
        let len = self.prefix.len();
        self.prefix.push_str(field);
        self.prefix.push('.');
        message.check(self);
        self.prefix.truncate(len);
    }

    /// Checks every message of a list.
    pub fn each(&mut self, field: &str, messages: &[impl Check]) {
        for (i, message) in messages.iter().enumerate() {
            self.within(&format!("{field}[{i}]"), message);
        }
    }

    /// Checks every text of a list.
    pub fn texts(&mut self, field: &str, rule: &TextRule, texts: &[String]) {
        for (i, text) in texts.iter().enumerate() {
            self.text(&format!("{field}[{i}]"), rule, Some(text));
        }
    }

    /// A message must be present.
    pub fn present(&mut self, field: &str, label: &str, present: bool) {
        if !present {
            self.add(field, format!("{label} is required"));
        }
    }

    /// A list must have so many elements.
    pub fn items(&mut self, field: &str, label: &str, required: bool, max: Option<u32>, n: usize) {
        if required && n == 0 {
            self.add(field, format!("{label} is required"));
        }
        if let Some(max) = max.filter(|max| n > *max as usize) {
            self.add(field, format!("{label} must have at most {max} elements"));
        }
    }

    /// A text must follow its rule. No text holds U+0000, which one of the
    /// databases could not keep.
    pub fn text(&mut self, field: &str, rule: &TextRule, text: Option<&str>) {
        let text = text.unwrap_or_default();
        let label = rule.label;
        if text.is_empty() {
            if rule.required {
                self.add(field, format!("{label} is required"));
            }
            return;
        }
        if rule.required && text.trim().is_empty() {
            self.add(field, format!("{label} is required"));
        } else if text.contains('\0') {
            self.add(field, format!("{label} must not contain U+0000"));
        } else if text.len() < rule.min as usize {
            self.add(
                field,
                format!("{label} must have at least {} bytes", rule.min),
            );
        } else if let Some(max) = rule.max.filter(|max| text.len() > *max as usize) {
            self.add(field, format!("{label} must have at most {max} bytes"));
        } else if rule.pattern.is_some_and(|pattern| !pattern.is_match(text)) {
            self.add(field, format!("{label} is not valid"));
        }
    }

    /// A number must be within its bounds.
    pub fn number(
        &mut self,
        field: &str,
        label: &str,
        required: bool,
        min: Option<f64>,
        max: Option<f64>,
        value: Option<f64>,
    ) {
        let Some(value) = value else {
            if required {
                self.add(field, format!("{label} is required"));
            }
            return;
        };
        if let (Some(min), Some(max)) = (min, max) {
            if !(min..=max).contains(&value) {
                self.add(field, format!("{label} must be between {min} and {max}"));
            }
        } else if let Some(min) = min.filter(|min| value < *min) {
            self.add(field, format!("{label} must be at least {min}"));
        } else if let Some(max) = max.filter(|max| value > *max) {
            self.add(field, format!("{label} must be at most {max}"));
        }
    }

    /// A text must be JSON of a form.
    pub fn raw(&mut self, field: &str, raw: RawJson, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return;
        };
        let checked = match raw {
            RawJson::Object => raw::check_object(text, DEPTH),
            RawJson::Any => raw::check_any(text, DEPTH),
        };
        if let Err(fault) = checked {
            let inner = fault.path();
            let dot = if inner.is_empty() { "" } else { "." };
            self.add(field, format!("{field}{dot}{inner} {}", fault.what));
        }
    }
}

/// A text field, present or optional.
pub trait TextField {
    /// Its text.
    fn text(&self) -> Option<&str>;
}

impl TextField for String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl TextField for Option<String> {
    fn text(&self) -> Option<&str> {
        self.as_deref()
    }
}

/// The text of a field, for generated code.
pub fn text_of(field: &impl TextField) -> Option<&str> {
    field.text()
}

/// Compiles a pattern of the field options; the build has checked it.
pub fn pattern(text: &str) -> Regex {
    #[allow(clippy::expect_used)]
    Regex::new(&format!("^(?:{text})$")).expect("the build compiled the pattern")
}
