//! Path templates of `google.api.http`, as its `http.proto` defines them:
//!
//! ```text
//! Template = "/" Segment { "/" Segment } [ ":" Verb ] ;
//! Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}" ;
//! ```
//!
//! `**` is the last segment before the verb, a variable holds no variable, and
//! no field is bound twice. Errors name the column, counted from 1.

/// A parsed path template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What each path segment must be.
    pub segments: Vec<Segment>,
    /// Custom verb at the very end, without its colon.
    pub verb: Option<String>,
    /// Which segments fill which field.
    pub variables: Vec<Variable>,
}

/// What one path segment must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Exactly this text.
    Literal(String),
    /// `*`: any one segment.
    Single,
    /// `**`: any number of segments, none included.
    Multi,
}

/// A request field filled from the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Dotted path of the field.
    pub field: String,
    /// First segment of its value.
    pub start: usize,
    /// One past the last segment of its template.
    pub end: usize,
    /// Whether it may span several segments, so that reserved characters stay
    /// percent-encoded.
    pub multi: bool,
    /// Whether it ends in `**` and takes the rest of the path.
    pub rest: bool,
}

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            text: text.as_bytes(),
            at: 0,
        };
        parser.expect(b'/')?;
        let mut template = Self {
            segments: Vec::new(),
            verb: None,
            variables: Vec::new(),
        };
        parser.segments(&mut template, false)?;
        if parser.eat(b':') {
            template.verb = Some(parser.literal("a verb")?);
        }
        if parser.at < parser.text.len() {
            return Err(parser.fault("expected the end"));
        }
        template.check()?;
        Ok(template)
    }

    /// The template with every variable replaced by what it matches, so that
    /// two templates that match the same paths are equal text.
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            shape.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Single => "*",
                Segment::Multi => "**",
            });
        }
        if let Some(verb) = &self.verb {
            shape.push(':');
            shape.push_str(verb);
        }
        shape
    }

    /// Whether a variable has one value, as the template has no `*` where it stands: so
    /// a field is fixed by the path.
    pub fn is_fixed(&self, variable: &Variable) -> bool {
        let own = self.segments.get(variable.start..variable.end);
        own.is_some_and(|own| own.iter().all(|part| matches!(part, Segment::Literal(_))))
    }

    fn check(&self) -> Result<(), String> {
        let multi = self.segments.iter().position(|s| *s == Segment::Multi);
        if multi.is_some_and(|at| at + 1 < self.segments.len()) {
            return Err("`**` must be the last segment".to_owned());
        }
        for (i, variable) in self.variables.iter().enumerate() {
            if self.variables[..i]
                .iter()
                .any(|v| v.field == variable.field)
            {
                return Err(format!("`{}` is bound twice", variable.field));
            }
        }
        Ok(())
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn fault(&self, what: &str) -> String {
        format!("column {}: {what}", self.at + 1)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let hit = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(hit);
        hit
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.eat(byte) {
            return Ok(());
        }
        Err(self.fault(&format!("expected `{}`", char::from(byte))))
    }

    fn segments(&mut self, template: &mut Template, inside: bool) -> Result<(), String> {
        loop {
            if self.eat(b'*') {
                let multi = self.eat(b'*');
                template.segments.push(if multi {
                    Segment::Multi
                } else {
                    Segment::Single
                });
            } else if self.text.get(self.at) == Some(&b'{') {
                if inside {
                    return Err(self.fault("a variable holds no variable"));
                }
                self.variable(template)?;
            } else {
                let literal = self.literal("a segment")?;
                template.segments.push(Segment::Literal(literal));
            }
            if !self.eat(b'/') {
                return Ok(());
            }
        }
    }

    fn variable(&mut self, template: &mut Template) -> Result<(), String> {
        self.expect(b'{')?;
        let mut field = self.identifier()?;
        while self.eat(b'.') {
            field.push('.');
            field.push_str(&self.identifier()?);
        }
        let start = template.segments.len();
        if self.eat(b'=') {
            self.segments(template, true)?;
        } else {
            template.segments.push(Segment::Single);
        }
        self.expect(b'}')?;
        let own = &template.segments[start..];
        let rest = own.last() == Some(&Segment::Multi);
        template.variables.push(Variable {
            field,
            start,
            end: template.segments.len(),
            multi: rest || own.len() > 1,
            rest,
        });
        Ok(())
    }

    fn identifier(&mut self) -> Result<String, String> {
        let start = self.at;
        while let Some(byte) = self.text.get(self.at) {
            let digit = byte.is_ascii_digit() && self.at > start;
            if !(byte.is_ascii_alphabetic() || *byte == b'_' || digit) {
                break;
            }
            self.at += 1;
        }
        self.taken(start, "a field name")
    }

    /// Literals are the unreserved, sub-delimiter and `@` characters of RFC 3986
    /// and percent-encoded bytes.
    fn literal(&mut self, what: &str) -> Result<String, String> {
        let start = self.at;
        while let Some(byte) = self.text.get(self.at) {
            if !(byte.is_ascii_alphanumeric() || b"-_.~%!$&'()+,;@".contains(byte)) {
                break;
            }
            self.at += 1;
        }
        self.taken(start, what)
    }

    fn taken(&self, start: usize, what: &str) -> Result<String, String> {
        if self.at == start {
            return Err(self.fault(&format!("expected {what}")));
        }
        Ok(String::from_utf8_lossy(&self.text[start..self.at]).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_parse() {
        let t = Template::parse("/v1/{name=shelves/*/books/**}:read").unwrap();
        assert_eq!(t.shape(), "/v1/shelves/*/books/**:read");
        assert_eq!(
            t.variables,
            [Variable {
                field: "name".into(),
                start: 1,
                end: 5,
                multi: true,
                rest: true
            }]
        );
        let t = Template::parse("/a/{b.c}/{d=*}").unwrap();
        assert_eq!(t.variables[0].field, "b.c");
        assert!(!t.variables[0].multi && !t.variables[1].multi);
        assert_eq!(Template::parse("/{x=**}").unwrap().shape(), "/**");
    }

    #[test]
    fn faults_name_the_column() {
        for (text, fault) in [
            ("", "column 1: expected `/`"),
            ("a", "column 1: expected `/`"),
            ("/", "column 2: expected a segment"),
            ("/a//b", "column 4: expected a segment"),
            ("/{", "column 3: expected a field name"),
            ("/{1a}", "column 3: expected a field name"),
            ("/{a", "column 4: expected `}`"),
            ("/{a=}", "column 5: expected a segment"),
            ("/{a={b}}", "column 5: a variable holds no variable"),
            ("/a:", "column 4: expected a verb"),
            ("/a:b/c", "column 5: expected the end"),
            ("/a b", "column 3: expected the end"),
            ("/**/a", "`**` must be the last segment"),
            ("/{a=**}/b", "`**` must be the last segment"),
            ("/{a}/{a}", "`a` is bound twice"),
        ] {
            assert_eq!(Template::parse(text).unwrap_err(), fault, "{text}");
        }
    }
}
