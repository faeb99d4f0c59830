//! Text as HTML. Whatever is shown passes [`escape`], once.

use std::fmt::Write as _;

use super::super::guide::{Block, Section};

/// Text that can stand anywhere in a page.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// Text in which backticks mark code.
pub(super) fn prose(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escape(part);
        let _ = match at % 2 {
            0 => write!(html, "{part}"),
            _ => write!(html, "<code>{part}</code>"),
        };
    }
    html
}

/// A command or a body.
pub(super) fn code(text: &str) -> String {
    format!("<pre><code>{}</code></pre>", escape(text))
}

/// A section of the guide.
pub(super) fn section(section: &Section) -> String {
    let (id, title) = (section.id, escape(section.title));
    let mut html = format!("<section id=\"{id}\"><h2>{title}</h2>");
    for block in &section.blocks {
        match block {
            Block::Text(text) => {
                let _ = write!(html, "<p>{}</p>", prose(text));
            }
            Block::Code(text) => html.push_str(&code(text)),
            Block::List(items) => {
                html.push_str("<ul>");
                for item in items {
                    let _ = write!(html, "<li>{}</li>", prose(item));
                }
                html.push_str("</ul>");
            }
        }
    }
    html.push_str("</section>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_written_in_a_comment_is_markup() {
        assert_eq!(
            prose("`a<b>` & \"<script>alert('x')</script>\" `c"),
            "<code>a&lt;b&gt;</code> &amp; &quot;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\
             &quot; <code>c</code>"
        );
        assert_eq!(
            code("</pre><b>"),
            "<pre><code>&lt;/pre&gt;&lt;b&gt;</code></pre>"
        );
    }
}
