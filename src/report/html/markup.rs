//! [`Html`]: a page while it is written, in which nothing but our own markup can be markup.

use std::fmt::Display;
use std::io::{self, Write};

use crate::tree::printable;

/// Writes a page. Markup is a literal of this program; whatever else goes in is text, and is
/// escaped. The first failure ends the writing, and is told at the end.
pub(super) struct Html<'a> {
    to: &'a mut dyn Write,
    result: io::Result<()>,
}

impl<'a> Html<'a> {
    pub(super) fn new(to: &'a mut dyn Write) -> Html<'a> {
        Html { to, result: Ok(()) }
    }

    /// Adds markup.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.put(markup)
    }

    /// Adds text, between elements or in the quotes of an attribute. Characters that are not seen,
    /// or reorder others, are shown.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        let text = text.to_string();
        let mut rest = &*printable(&text);
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            self.put(&rest[..at]);
            self.put(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            });
            rest = &rest[at + 1..];
        }
        self.put(rest)
    }

    /// An element without attributes around text.
    pub(super) fn element(
        &mut self,
        (open, close): (&'static str, &'static str),
        text: impl Display,
    ) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    /// A number of hundredths of a per cent, as per cent in a style.
    pub(super) fn percent(&mut self, hundredths: u64) -> &mut Self {
        self.put(&format!("{}.{:02}%", hundredths / 100, hundredths % 100))
    }

    /// Whether all of it was written.
    pub(super) fn finish(self) -> io::Result<()> {
        self.result.and_then(|()| self.to.flush())
    }

    fn put(&mut self, text: &str) -> &mut Self {
        if self.result.is_ok() {
            self.result = self.to.write_all(text.as_bytes());
        }
        self
    }
}

/// The element `code`.
pub(super) const CODE: (&str, &str) = ("<code>", "</code>");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup_and_hides_nothing() {
        let mut bytes = Vec::new();
        let mut html = Html::new(&mut bytes);
        html.raw("<p title=\"").text("\"'><b>").raw("\">").text("&amp;\x1b[2J\u{202e}\n\u{200b}x");
        html.raw("</p>").percent(1203);
        html.finish().unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "<p title=\"&quot;&#39;&gt;&lt;b&gt;\">&amp;amp;\\u{1b}[2J\\u{202e}\\n\\u{200b}x</p>12.03%"
        );
    }
}
