//! The form of `desc` and `files`: a line `%FIELD%`, a line per value, an empty line.

use super::super::records::lines;

/// The fields of one file, borrowed from it.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<Field<'a>>);

#[derive(Debug)]
struct Field<'a> {
    name: &'a [u8],
    /// Index of the line of its first value.
    first: usize,
    values: Vec<&'a [u8]>,
}

/// More fields than this no real file has.
const MAX_FIELDS: usize = 100;

impl<'a> Fields<'a> {
    /// Reads them. What stands between a field's end and the next field is passed over.
    pub(super) fn parse(bytes: &'a [u8]) -> Fields<'a> {
        let mut fields: Vec<Field<'_>> = vec![];
        let mut inside = false;
        for (index, line) in lines(bytes).enumerate() {
            match fields.last_mut() {
                _ if line.is_empty() => inside = false,
                // A value may look like a field's name.
                Some(field) if inside => field.values.push(line),
                _ => {
                    let name = line.strip_prefix(b"%").and_then(|line| line.strip_suffix(b"%"));
                    let Some(name) = name.filter(|_| fields.len() < MAX_FIELDS) else { continue };
                    fields.push(Field { name, first: index + 1, values: vec![] });
                    inside = true;
                }
            }
        }
        Fields(fields)
    }

    /// Whether there is no field at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of a field, each with the index of its line, from 0.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = (usize, &'a [u8])> {
        let field = self.0.iter().find(|field| field.name == name.as_bytes());
        field.into_iter().flat_map(|field| (field.first..).zip(field.values.iter().copied()))
    }

    /// The first value of a field that is printable text; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &'a str {
        let value = self.values(name).next().map(|(_, value)| value).unwrap_or_default();
        text(value).unwrap_or_default()
    }

    /// All values of a field that are printable text.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name).filter_map(|(_, value)| text(value))
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_with_an_empty_line_only() {
        let fields = Fields::parse(
            b"x\n%NAME%\na b\n\n\n%FILES%\n%odd%\netc/\n\n%EMPTY%\n\n%URL%\n\x1b[2J\nu",
        );
        assert_eq!(fields.text("NAME"), "a b");
        assert_eq!(fields.values("FILES").collect::<Vec<_>>(), [(6, &b"%odd%"[..]), (7, b"etc/")]);
        assert_eq!(fields.values("EMPTY").count(), 0);
        assert_eq!(fields.text("URL"), "");
        assert_eq!(fields.texts("URL").collect::<Vec<_>>(), ["u"]);
        assert_eq!(fields.text("x"), "");
        assert!(Fields::parse(b"\n\n").is_empty());
    }

    #[test]
    fn no_file_makes_more_fields_than_any_real_one_has() {
        assert_eq!(Fields::parse(&b"%A%\n\n".repeat(1 << 16)).0.len(), MAX_FIELDS);
    }
}
