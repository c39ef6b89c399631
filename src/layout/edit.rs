//! Changes inside one configuration file, as a function of its bytes.
//!
//! A file is a list of lines; a line that no operation names comes back byte for byte, line ends
//! included. What an operation would have to guess about is not changed but told as a doubt.

use super::change::{Op, Syntax};
use super::pattern::{PatternError, Vars};
use crate::tree::escaped;

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// The new content.
    pub bytes: Vec<u8>,
    /// What was changed, in words, in order.
    pub changes: Vec<String>,
    /// What a person has to decide, in words.
    pub doubts: Vec<String>,
}

/// Applies `ops` to `text`, but those whose `since` the transition of `vars` does not cross.
///
/// # Errors
/// A variable without a value.
pub fn edit(text: &[u8], syntax: Syntax, ops: &[Op], vars: &Vars) -> Result<Edited, PatternError> {
    let mut file = File::read(text, syntax);
    for op in ops.iter().filter(|op| vars.cross(op.since())) {
        file.apply(op, vars)?;
    }
    Ok(Edited { bytes: file.lines.concat(), changes: file.changes, doubts: file.doubts })
}

struct File {
    syntax: Syntax,
    /// Each with its line end.
    lines: Vec<Vec<u8>>,
    changes: Vec<String>,
    doubts: Vec<String>,
}

/// A line that sets something, in parts that make up the line again when joined.
struct Setting<'a> {
    indent: &'a [u8],
    key: &'a [u8],
    /// What stands between key and value: blanks, `=`.
    gap: &'a [u8],
    value: &'a [u8],
    /// What follows the value: `;`, a comment, the line end.
    rest: &'a [u8],
}

impl File {
    fn read(text: &[u8], syntax: Syntax) -> File {
        let lines = text.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
        File { syntax, lines, changes: vec![], doubts: vec![] }
    }

    fn apply(&mut self, op: &Op, vars: &Vars) -> Result<(), PatternError> {
        match op {
            Op::CommentOut { key, value, why, .. } => self.comment_out(key, value.as_deref(), why),
            Op::Set { key, value, section, .. } => {
                self.set(key, &value.expand(vars)?, section.as_deref());
            }
            Op::SetIfUnset { key, value, section, .. } => {
                if self.found(key, section.as_deref()).is_empty() {
                    self.set(key, &value.expand(vars)?, section.as_deref());
                }
            }
            Op::Rename { key, to, .. } => self.rename(key, to),
            Op::MapValue { key, values, .. } => self.map_value(key, &values.0),
            Op::Replace { text, with, .. } => {
                self.replace(&text.expand(vars)?, &with.expand(vars)?);
            }
            Op::Flag { key, value, why, .. } => {
                for at in self.with_value(key, value.as_deref()) {
                    self.doubts.push(format!("line {} sets `{key}`: {why}", at + 1));
                }
            }
        }
        Ok(())
    }

    /// The lines that set `key`, in `section` when one is given (the beginning of the file is the
    /// section with the empty name).
    fn found(&self, key: &str, section: Option<&str>) -> Vec<usize> {
        let mut inside = String::new();
        let mut found = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(name) = self.section(line) {
                inside = name;
            } else if section.is_none_or(|s| same_key(Syntax::Ini, s.as_bytes(), inside.as_bytes()))
                && self.setting(line).is_some_and(|s| same_key(self.syntax, s.key, key.as_bytes()))
            {
                found.push(at);
            }
        }
        found
    }

    /// The lines that set `key`, to `value` when one is given; case does not matter in it.
    fn with_value(&self, key: &str, value: Option<&str>) -> Vec<usize> {
        let mut found = self.found(key, None);
        found.retain(|&at| {
            let setting = self.setting(&self.lines[at]);
            let is = |v: &str| setting.is_some_and(|s| s.value.eq_ignore_ascii_case(v.as_bytes()));
            value.is_none_or(is)
        });
        found
    }

    /// The name of the section that `line` opens.
    fn section(&self, line: &[u8]) -> Option<String> {
        let line = line.trim_ascii();
        (self.syntax == Syntax::Ini && line.starts_with(b"["))
            .then(|| line[1..].split(|&b| b == b']').next().unwrap_or_default())
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
    }

    fn setting<'a>(&self, line: &'a [u8]) -> Option<Setting<'a>> {
        let body = line.trim_ascii_start();
        let comment = match self.syntax {
            Syntax::Ini => body.starts_with(b"#") || body.starts_with(b";"),
            _ => body.starts_with(b"#"),
        };
        if body.is_empty() || comment || self.syntax == Syntax::Text {
            return None;
        }
        let indent = &line[..line.len() - body.len()];
        let key_end = match self.syntax {
            // Blanks are part of a key such as `map to guest`.
            Syntax::Ini => body.iter().position(|&b| b == b'=')?,
            _ => body
                .iter()
                .position(|&b| b.is_ascii_whitespace() || matches!(b, b'=' | b';' | b'{' | b'"'))
                .unwrap_or(body.len()),
        };
        let key = body[..key_end].trim_ascii_end();
        let after = &body[key.len()..];
        let gap = after.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'=')).count();
        let (gap, after) = after.split_at(gap);
        let value = value_length(self.syntax, after);
        let (value, rest) = after.split_at(value);
        Some(Setting { indent, key, gap, value, rest })
    }

    fn comment_out(&mut self, key: &str, value: Option<&str>, why: &str) {
        // From the end, so that the lines still to come keep their numbers.
        for at in self.with_value(key, value).into_iter().rev() {
            if self.shares_its_line(at, key) {
                continue;
            }
            let line = &self.lines[at];
            let indent = line.len() - line.trim_ascii_start().len();
            let (indent, body) = line.split_at(indent);
            let note = [indent, b"# ", why.as_bytes(), b":\n"].concat();
            let commented = [indent, b"#", body].concat();
            self.changes.push(format!("line {}: `{key}` commented out, {why}", at + 1));
            self.lines.splice(at..=at, [note, commented]);
        }
    }

    /// Whether more than this setting is on its line, where a line is not a unit; told as a doubt.
    fn shares_its_line(&mut self, at: usize, key: &str) -> bool {
        let line = &self.lines[at];
        let shared = match self.syntax {
            Syntax::Directive => self.setting(line).is_some_and(|setting| {
                let rest = setting.rest.trim_ascii();
                !rest.starts_with(b";") || !matches!(rest[1..].trim_ascii_start(), [] | [b'#', ..])
            }),
            // It goes on in the next line.
            _ => line.trim_ascii_end().ends_with(b"\\"),
        };
        if shared {
            let why = "it does not stand alone on one line";
            self.doubts.push(format!("line {} sets `{key}` and was not changed: {why}", at + 1));
        }
        shared
    }

    fn set(&mut self, key: &str, value: &[u8], section: Option<&str>) {
        let found = self.found(key, section);
        for &at in &found {
            self.put_value(at, value);
        }
        if !found.is_empty() {
            return;
        }
        let new = match self.syntax {
            Syntax::Keyword => [key.as_bytes(), b" ", value, b"\n"].concat(),
            Syntax::Directive => [key.as_bytes(), b" ", value, b";\n"].concat(),
            _ => [key.as_bytes(), b" = ", value, b"\n"].concat(),
        };
        let at = self.place_for_new(section);
        if let Some(before) = at.checked_sub(1).and_then(|before| self.lines.get_mut(before))
            && !before.ends_with(b"\n")
        {
            before.push(b'\n');
        }
        self.lines.insert(at, new);
        self.changes.push(format!("line {}: `{key}` set to `{}`", at + 1, escaped(value)));
    }

    /// The line before which a new setting goes; opens the section when there is none.
    fn place_for_new(&mut self, section: Option<&str>) -> usize {
        match (self.syntax, section) {
            // What follows a `Match` belongs to it.
            (Syntax::Keyword, _) => {
                let block = |line: &Vec<u8>| {
                    self.setting(line).is_some_and(|s| {
                        [b"match".as_slice(), b"host"]
                            .iter()
                            .any(|key| same_key(Syntax::Keyword, s.key, key))
                    })
                };
                self.lines.iter().position(block).unwrap_or(self.lines.len())
            }
            (Syntax::Ini, Some(section)) => {
                let is = |line: &Vec<u8>| {
                    self.section(line)
                        .is_some_and(|s| same_key(Syntax::Ini, s.as_bytes(), section.as_bytes()))
                };
                match self.lines.iter().position(is) {
                    Some(at) => at + 1,
                    None => {
                        if let Some(last) = self.lines.last_mut()
                            && !last.ends_with(b"\n")
                        {
                            last.push(b'\n');
                        }
                        self.lines.push(format!("[{section}]\n").into_bytes());
                        self.lines.len()
                    }
                }
            }
            (Syntax::Ini, None) => {
                let first = self.lines.iter().position(|line| self.section(line).is_some());
                first.unwrap_or(self.lines.len())
            }
            _ => self.lines.len(),
        }
    }

    fn put_value(&mut self, at: usize, value: &[u8]) {
        let Some(s) = self.setting(&self.lines[at]) else { return };
        if s.value == value {
            return;
        }
        let gap = match (s.gap, self.syntax) {
            ([], Syntax::Keyword | Syntax::Directive) => b" ",
            (gap, _) => gap,
        };
        let told = format!(
            "line {}: `{}` set to `{}`, was `{}`",
            at + 1,
            escaped(s.key),
            escaped(value),
            escaped(s.value)
        );
        let line = [s.indent, s.key, gap, value, s.rest].concat();
        self.changes.push(told);
        self.lines[at] = line;
    }

    fn rename(&mut self, key: &str, to: &str) {
        for at in self.found(key, None) {
            if let Some(s) = self.setting(&self.lines[at]) {
                let line = [s.indent, to.as_bytes(), s.gap, s.value, s.rest].concat();
                self.lines[at] = line;
                self.changes.push(format!("line {}: `{key}` is now `{to}`", at + 1));
            }
        }
    }

    fn map_value(&mut self, key: &str, values: &[(String, String)]) {
        for at in self.found(key, None) {
            let Some(setting) = self.setting(&self.lines[at]) else { continue };
            let new =
                values.iter().find(|(old, _)| setting.value.eq_ignore_ascii_case(old.as_bytes()));
            if let Some((_, new)) = new {
                self.put_value(at, new.as_bytes());
            }
        }
    }

    fn replace(&mut self, text: &[u8], with: &[u8]) {
        if text.is_empty() || text == with {
            return;
        }
        for (at, line) in self.lines.iter_mut().enumerate() {
            let new = replaced(line, text, with);
            if new != *line {
                *line = new;
                let (text, with) = (escaped(text), escaped(with));
                self.changes.push(format!("line {}: `{text}` is now `{with}`", at + 1));
            }
        }
    }
}

/// `line` with every whole occurrence of `text` replaced.
///
/// An occurrence is whole when the word or path does not go on: `/var/lib/ntp` is not found in
/// `/var/lib/ntpsec`, nor in `/srv/var/lib/ntp`, so that replacing twice changes nothing more.
fn replaced(line: &[u8], text: &[u8], with: &[u8]) -> Vec<u8> {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') || b >= 0x80;
    let mut new = Vec::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        if !rest.starts_with(text) {
            new.push(line[at]);
            at += 1;
            continue;
        }
        let after = &rest[text.len()..];
        let goes_on = text.last().is_some_and(|&b| word(b))
            && match after {
                [b'.', next, ..] => word(*next),
                [next, ..] => word(*next),
                [] => false,
            };
        let begun = match line[..at].last() {
            Some(&before) => match text[0] {
                b'/' => word(before) || before == b'.',
                first => word(first) && (word(before) || before == b'.'),
            },
            None => false,
        };
        if goes_on || begun {
            new.push(line[at]);
            at += 1;
        } else {
            new.extend_from_slice(with);
            at += text.len();
        }
    }
    new
}

/// Whether two keys mean the same.
fn same_key(syntax: Syntax, a: &[u8], b: &[u8]) -> bool {
    match syntax {
        Syntax::Ini => {
            let plain = |key: &[u8]| -> Vec<u8> {
                let visible = key.iter().filter(|b| !b.is_ascii_whitespace());
                visible.map(u8::to_ascii_lowercase).collect()
            };
            plain(a) == plain(b)
        }
        Syntax::Directive | Syntax::Text => a == b,
        Syntax::Keyword | Syntax::Assign => a.eq_ignore_ascii_case(b),
    }
}

/// How much of what follows key and gap is the value.
fn value_length(syntax: Syntax, after: &[u8]) -> usize {
    let mut quote = None;
    let mut length = 0;
    for (at, &b) in after.iter().enumerate() {
        match (quote, b) {
            (Some(open), _) if b == open => quote = None,
            (Some(_), _) => {}
            // smb.conf and sshd_config take the rest of the line as it is.
            (None, b'\'' | b'"') if matches!(syntax, Syntax::Assign | Syntax::Directive) => {
                quote = Some(b);
            }
            (None, b'#') if syntax == Syntax::Assign => break,
            (None, b';' | b'{') if syntax == Syntax::Directive => break,
            (None, b'\n' | b'\r') => break,
            _ => {}
        }
        if !b.is_ascii_whitespace() {
            length = at + 1;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Version;

    fn ops(yaml: &str) -> Vec<Op> {
        let deserializer = serde_yaml::Deserializer::from_str(yaml);
        serde_yaml::with::singleton_map_recursive::deserialize(deserializer).unwrap()
    }

    fn vars() -> Vars {
        let version = |text: &str| text.parse::<Version>().unwrap();
        Vars::versions(&version("13"), &version("17"))
    }

    fn edited(syntax: Syntax, yaml: &str, text: &str) -> Edited {
        edit(text.as_bytes(), syntax, &ops(yaml), &vars()).unwrap()
    }

    fn text(syntax: Syntax, yaml: &str, before: &str) -> String {
        let once = edited(syntax, yaml, before);
        let twice = edit(&once.bytes, syntax, &ops(yaml), &vars()).unwrap();
        assert_eq!(once.bytes, twice.bytes, "done twice");
        assert_eq!(once.changes.is_empty(), once.bytes == before.as_bytes(), "{before}");
        String::from_utf8(once.bytes).unwrap()
    }

    #[test]
    fn what_no_operation_names_comes_back_byte_for_byte() {
        for syntax in [Syntax::Ini, Syntax::Keyword, Syntax::Directive, Syntax::Assign] {
            for before in ["", "\r\n", "a\r\nb = c\r\n", "= x\n[\n;;{\n\"", "\u{e9} = 1", "key"] {
                assert_eq!(text(syntax, "[rename: {key: other, to: x}]", before), before);
            }
        }
        let bytes = b"\xff\xfe = 1\nkey = \xff\n";
        let done =
            edit(bytes, Syntax::Assign, &ops("[rename: {key: key, to: k}]"), &vars()).unwrap();
        assert_eq!(done.bytes, b"\xff\xfe = 1\nk = \xff\n");
    }

    #[test]
    fn commenting_out_keeps_the_line_below_its_reason() {
        let op = "[comment-out: {key: work_mem, why: gone}]";
        assert_eq!(
            text(
                Syntax::Assign,
                op,
                "a = 1\n  Work_Mem=2 # x\nwork_mem 3\n#work_mem = 4\nwork_mems = 5"
            ),
            "a = 1\n  # gone:\n  #Work_Mem=2 # x\n# gone:\n#work_mem 3\n#work_mem = 4\nwork_mems = 5"
        );
        let op = "[comment-out: {key: disable, value: auth, why: gone}]";
        assert_eq!(
            text(Syntax::Keyword, op, "disable auth\ndisable monitor\n"),
            "# gone:\n#disable auth\ndisable monitor\n"
        );
        let op = "[comment-out: {key: smb ports, why: gone}]";
        assert_eq!(
            text(Syntax::Ini, op, "SMBPorts = 1\n;smb ports = 2\n"),
            "# gone:\n#SMBPorts = 1\n;smb ports = 2\n"
        );
    }

    #[test]
    fn a_setting_that_shares_its_line_is_a_doubt_and_not_changed() {
        let op = "[comment-out: {key: ssl, why: gone}]";
        let before = "ssl on; listen 80;\nssl {\n\tssl on; # x\n}\nssl\n on;\n";
        let done = edited(Syntax::Directive, op, before);
        assert_eq!(
            String::from_utf8(done.bytes).unwrap(),
            before.replace("\tssl on; # x", "\t# gone:\n\t#ssl on; # x")
        );
        let lines: Vec<_> = done.doubts.iter().map(|d| &d[..6]).collect();
        assert_eq!(lines, ["line 5", "line 2", "line 1"]);
        let op = "[comment-out: {key: hosts, why: gone}]";
        let done = edited(Syntax::Ini, op, "hosts = a \\\n b\n");
        assert_eq!(
            (done.bytes.as_slice(), done.doubts.len()),
            (b"hosts = a \\\n b\n".as_slice(), 1)
        );
    }

    #[test]
    fn setting_changes_the_value_where_it_is_and_else_goes_where_it_counts() {
        let op = "[set: {key: port, value: '{new}'}]";
        assert_eq!(text(Syntax::Assign, op, "port = 5432 # x\nport=1"), "port = 17 # x\nport=17");
        assert_eq!(text(Syntax::Assign, op, "a = '#' # x"), "a = '#' # x\nport = 17\n");
        assert_eq!(
            text(Syntax::Keyword, op, "A b\nMatch User x\n\tC d\n"),
            "A b\nport 17\nMatch User x\n\tC d\n"
        );
        assert_eq!(text(Syntax::Directive, op, "port 1; # x\n"), "port 17; # x\n");
        assert_eq!(text(Syntax::Directive, op, ""), "port 17;\n");
        let op = "[set: {key: port, value: 1, section: main}]";
        assert_eq!(
            text(Syntax::Ini, op, "[other]\nport = 2\n[ Main ]\na = b"),
            "[other]\nport = 2\n[ Main ]\nport = 1\na = b"
        );
        assert_eq!(text(Syntax::Ini, op, "[other]"), "[other]\n[main]\nport = 1\n");
    }

    #[test]
    fn set_if_unset_leaves_a_value_alone() {
        let op = "[set-if-unset: {key: a, value: 1}]";
        assert_eq!(text(Syntax::Assign, op, "a = 2\n"), "a = 2\n");
        assert_eq!(text(Syntax::Assign, op, "#a = 2\n"), "#a = 2\na = 1\n");
    }

    #[test]
    fn renaming_and_mapping_keep_the_rest_of_the_line() {
        let op = "[rename: {key: old name, to: new name}]";
        assert_eq!(text(Syntax::Ini, op, "\tOldName  =  x ; y\r\n"), "\tnew name  =  x ; y\r\n");
        let op = "[map-value: {key: password_encryption, values: {on: md5}}]";
        assert_eq!(
            text(Syntax::Assign, op, "password_encryption = ON # x\npassword_encryption = scram\n"),
            "password_encryption = md5 # x\npassword_encryption = scram\n"
        );
    }

    #[test]
    fn replacing_takes_whole_words_and_paths_only() {
        let op = "[replace: {text: /var/lib/ntp, with: /var/lib/ntpsec}]";
        let same =
            "/var/lib/ntpsec /srv/var/lib/ntp /var/lib/ntp.drift /var/lib/ntp-x ./var/lib/ntp\n";
        assert_eq!(text(Syntax::Text, op, same), same);
        assert_eq!(
            text(Syntax::Text, op, "a=/var/lib/ntp/x:/var/lib/ntp. '/var/lib/ntp'"),
            "a=/var/lib/ntpsec/x:/var/lib/ntpsec. '/var/lib/ntpsec'"
        );
        let op = "[replace: {text: 'php{old}', with: 'php{new}'}]";
        assert_eq!(
            text(Syntax::Text, op, "php13 php13.1 xphp13 php13-fpm"),
            "php17 php13.1 xphp13 php13-fpm"
        );
    }

    #[test]
    fn an_operation_is_done_only_when_its_version_is_crossed() {
        for (since, crossed) in [("13", false), ("14", true), ("17", true), ("18", false)] {
            let op = format!("[rename: {{key: a, to: b, since: {since}}}]");
            assert_eq!(text(Syntax::Assign, &op, "a = 1\n") == "b = 1\n", crossed, "{since}");
        }
    }

    #[test]
    fn a_flag_tells_and_changes_nothing() {
        let done = edited(
            Syntax::Ini,
            "[flag: {key: security, value: share, why: ask}]",
            "security = Share\nsecurity = user\n",
        );
        assert_eq!(done.bytes, b"security = Share\nsecurity = user\n");
        assert_eq!(done.doubts, ["line 1 sets `security`: ask"]);
    }
}
