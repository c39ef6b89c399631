//! Changes inside one configuration file, as a function of its bytes.
//!
//! What no operation names comes back byte for byte. What an operation would have to guess about is
//! not changed but told as a doubt.

use super::config_file::ConfigFile;
use super::pattern::{PatternError, Vars};
use super::setting::{DropItem, Op, SetKey, Syntax};
use crate::tree::escaped;

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edited {
    /// The new content.
    pub(super) bytes: Vec<u8>,
    /// What was changed, in words, in order.
    pub(super) changes: Vec<String>,
    /// What a person has to decide, in words, with the numbers of lines in the new content.
    pub(super) doubts: Vec<String>,
}

/// Applies `ops` to `text`, but those whose `since` the way of `vars` does not cross.
///
/// # Errors
/// A variable without a value.
pub(super) fn edit(
    text: &[u8],
    syntax: Syntax,
    ops: &[Op],
    vars: &Vars,
) -> Result<Edited, PatternError> {
    let mut file = ConfigFile::read(text, syntax);
    for op in ops.iter().filter(|op| vars.cross(op.since())) {
        file.apply(*op, vars)?;
    }
    let bytes = file.lines.concat();
    let changes = std::mem::take(&mut file.changes);
    Ok(Edited { bytes, changes, doubts: file.doubts() })
}

impl ConfigFile {
    fn apply(&mut self, op: Op, vars: &Vars) -> Result<(), PatternError> {
        match op {
            Op::Ask(op) => {
                // One question a file, however often the key stands there.
                for key in &op.keys {
                    let found = self.with_value(key, &op.values);
                    let Some((first, others)) = found.split_first() else { continue };
                    let more = match others.len() {
                        0 => String::new(),
                        1 => ", as 1 more line does".to_owned(),
                        n => format!(", as {n} more lines do"),
                    };
                    self.doubt(*first, format!("sets `{key}`{more}: {}", op.why));
                }
            }
            Op::Replace(op) => {
                let replacement = op.filled(vars)?;
                let told = (escaped(&replacement.text), escaped(&replacement.with));
                for (at, line) in self.lines.iter_mut().enumerate() {
                    let new = replacement.apply(line);
                    if new != *line {
                        *line = new;
                        let (text, with) = &told;
                        self.changes.push(format!("line {}: `{text}` is now `{with}`", at + 1));
                    }
                }
            }
            Op::DropItem(op) => op.keys.iter().for_each(|key| self.drop_items(key, op)),
            Op::MapValue(op) => op.keys.iter().for_each(|key| self.map_value(key, &op.values.0)),
            Op::Rename(op) => self.rename(&op.key, &op.to),
            Op::Gone(op) => {
                for key in &op.keys {
                    // From the end, so that the lines still to come keep their numbers.
                    for at in self.with_value(key, &op.values).into_iter().rev() {
                        self.comment_out(at, key, &op.why);
                    }
                }
            }
            Op::Set(op) => self.set(op, &op.value.expand(vars)?),
            Op::SetIfUnset(op) => {
                let is_set = |key: &String| !self.found(key, None).is_empty();
                let wanted = op.beside.is_empty() || op.beside.iter().any(is_set);
                if wanted && self.found(&op.key, op.section.as_deref()).is_empty() {
                    self.set(op, &op.value.expand(vars)?);
                }
            }
        }
        Ok(())
    }

    fn comment_out(&mut self, at: usize, key: &str, why: &str) {
        if self.shares_its_line(at, key) {
            return;
        }
        let line = &self.lines[at];
        let indent = line.len() - line.trim_ascii_start().len();
        let (indent, body) = line.split_at(indent);
        let note = [indent, b"# ", why.as_bytes(), b":\n"].concat();
        let commented = [indent, b"#", body].concat();
        self.changes.push(format!("line {}: `{key}` commented out, {why}", at + 1));
        self.lines[at] = commented;
        self.insert(at, note);
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
            self.doubt(at, format!("sets `{key}` and was not changed: {why}"));
        }
        shared
    }

    fn drop_items(&mut self, key: &str, op: &DropItem) {
        for at in self.found(key, None).into_iter().rev() {
            let list = self.setting(&self.lines[at]).and_then(|s| without(s.value, &op.items));
            match list {
                Some(list) if list.is_empty() => self.comment_out(at, key, &op.why),
                Some(list) => self.put_value(at, &list),
                None => {}
            }
        }
    }

    fn set(&mut self, op: &SetKey, value: &[u8]) {
        let (key, section) = (op.key.as_str(), op.section.as_deref());
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
        self.insert(at, new);
        self.changes.push(format!("line {}: `{key}` set to `{}`", at + 1, escaped(value)));
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
            let is = |value: &[u8], old: &str| value.eq_ignore_ascii_case(old.as_bytes());
            // In quotes a value says the same; one that a rule names with quotes is taken first.
            let (quote, bare): (&[u8], &[u8]) = match setting.value {
                [q @ (b'\'' | b'"'), bare @ .., end] if q == end => (std::slice::from_ref(q), bare),
                value => (b"", value),
            };
            let whole = values.iter().find(|(old, _)| is(setting.value, old));
            let new = whole.map(|(_, new)| new.as_bytes().to_vec()).or_else(|| {
                let (_, new) = values.iter().find(|(old, _)| is(bare, old))?;
                Some([quote, new.as_bytes(), quote].concat())
            });
            if let Some(new) = new {
                self.put_value(at, &new);
            }
        }
    }
}

/// A list without `items`, empty when it had no others; `None` when it has none of them.
fn without(list: &[u8], items: &[String]) -> Option<Vec<u8>> {
    let divides = |b: &&u8| matches!(b, b',' | b' ' | b'\t');
    let sign = usize::from(matches!(list, [b'+' | b'-' | b'^', _, ..]));
    let (sign, mut rest) = list.split_at(sign);
    let (mut kept, mut gap): (Vec<u8>, &[u8]) = (Vec::new(), b"");
    let mut dropped = false;
    while !rest.is_empty() {
        let length = rest.iter().take_while(|b| !divides(b)).count();
        let (item, after) = rest.split_at(length);
        if items.iter().any(|unwanted| item.eq_ignore_ascii_case(unwanted.as_bytes())) {
            dropped = true;
        } else {
            if !kept.is_empty() {
                kept.extend_from_slice(gap);
            }
            kept.extend_from_slice(item);
        }
        (gap, rest) = after.split_at(after.iter().take_while(divides).count());
    }
    let kept = if kept.is_empty() { kept } else { [sign, &kept].concat() };
    dropped.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Version;
    use crate::layout::setting::Setting;

    fn setting(syntax: Syntax, ops: &str) -> Setting {
        let syntax = serde_json::to_string(&syntax).unwrap();
        serde_yaml::from_str(&format!("{{files: [/x], syntax: {syntax}, {ops}}}")).unwrap()
    }

    fn vars() -> Vars {
        let version = |text: &str| text.parse::<Version>().unwrap();
        Vars::versions(&version("13"), &version("17"))
    }

    fn edited(syntax: Syntax, yaml: &str, text: &str) -> Edited {
        edit(text.as_bytes(), syntax, &setting(syntax, yaml).ops(), &vars()).unwrap()
    }

    fn text(syntax: Syntax, yaml: &str, before: &str) -> String {
        let once = edited(syntax, yaml, before);
        let twice = edit(&once.bytes, syntax, &setting(syntax, yaml).ops(), &vars()).unwrap();
        assert_eq!(once.bytes, twice.bytes, "done twice");
        assert_eq!(once.changes.is_empty(), once.bytes == before.as_bytes(), "{before}");
        String::from_utf8(once.bytes).unwrap()
    }

    #[test]
    fn what_is_only_said_beside_another_key_is_said_there_alone() {
        let yaml = "set-if-unset: [{key: who, value: all, beside: [list, user]}]";
        let done = |before| text(Syntax::Keyword, yaml, before);
        assert_eq!(done("port 1\n"), "port 1\n");
        assert_eq!(done("list /l\n"), "list /l\nwho all\n");
        assert_eq!(done("list /l\nwho none\n"), "list /l\nwho none\n");
    }

    #[test]
    fn what_no_operation_names_comes_back_byte_for_byte() {
        for syntax in [Syntax::Ini, Syntax::Keyword, Syntax::Directive, Syntax::Assign] {
            for before in ["", "\r\n", "a\r\nb = c\r\n", "= x\n[\n;;{\n\"", "\u{e9} = 1", "key"] {
                assert_eq!(text(syntax, "rename: [{key: other, to: x}]", before), before);
            }
        }
        let bytes = b"\xff\xfe = 1\nkey = \xff\n";
        let rename = setting(Syntax::Assign, "rename: [{key: key, to: k}]");
        let done = edit(bytes, Syntax::Assign, &rename.ops(), &vars()).unwrap();
        assert_eq!(done.bytes, b"\xff\xfe = 1\nk = \xff\n");
    }

    #[test]
    fn commenting_out_keeps_the_line_below_its_reason() {
        let op = "gone: [{keys: [work_mem], why: gone}]";
        assert_eq!(
            text(
                Syntax::Assign,
                op,
                "a = 1\n  Work_Mem=2 # x\nwork_mem 3\n#work_mem = 4\nwork_mems = 5"
            ),
            "a = 1\n  # gone:\n  #Work_Mem=2 # x\n# gone:\n#work_mem 3\n#work_mem = 4\nwork_mems = 5"
        );
        let op = "gone: [{keys: [disable], values: [bclient, auth], why: gone}]";
        assert_eq!(
            text(Syntax::Keyword, op, "disable auth\ndisable monitor\n"),
            "# gone:\n#disable auth\ndisable monitor\n"
        );
        let op = "gone: [{keys: [other, smb ports], why: gone}]";
        assert_eq!(
            text(Syntax::Ini, op, "SMBPorts = 1\n;smb ports = 2\n"),
            "# gone:\n#SMBPorts = 1\n;smb ports = 2\n"
        );
    }

    #[test]
    fn a_setting_that_shares_its_line_is_a_doubt_and_not_changed() {
        let op = "gone: [{keys: [ssl], why: gone}]";
        let before = "ssl on; listen 80;\nssl {\n\tssl on; # x\n}\nssl\n on;\n";
        let done = edited(Syntax::Directive, op, before);
        assert_eq!(
            String::from_utf8(done.bytes).unwrap(),
            before.replace("\tssl on; # x", "\t# gone:\n\t#ssl on; # x")
        );
        let lines: Vec<_> = done.doubts.iter().map(|d| &d[..6]).collect();
        assert_eq!(lines, ["line 6", "line 2", "line 1"]);
        let op = "gone: [{keys: [hosts], why: gone}]";
        let done = edited(Syntax::Ini, op, "hosts = a \\\n b\n");
        assert_eq!(
            (done.bytes.as_slice(), done.doubts.len()),
            (b"hosts = a \\\n b\n".as_slice(), 1)
        );
    }

    #[test]
    fn setting_changes_the_value_where_it_is_and_else_goes_where_it_counts() {
        let op = "set: [{key: port, value: '{new}'}]";
        assert_eq!(text(Syntax::Assign, op, "port = 5432 # x\nport=1"), "port = 17 # x\nport=17");
        assert_eq!(text(Syntax::Assign, op, "a = '#' # x"), "a = '#' # x\nport = 17\n");
        assert_eq!(
            text(Syntax::Keyword, op, "A b\nMatch User x\n\tC d\n"),
            "A b\nport 17\nMatch User x\n\tC d\n"
        );
        assert_eq!(text(Syntax::Directive, op, "port 1; # x\n"), "port 17; # x\n");
        assert_eq!(text(Syntax::Directive, op, ""), "port 17;\n");
        let op = "set: [{key: port, value: '1', section: main}]";
        assert_eq!(
            text(Syntax::Ini, op, "[other]\nport = 2\n[ Main ]\na = b"),
            "[other]\nport = 2\n[ Main ]\nport = 1\na = b"
        );
        assert_eq!(text(Syntax::Ini, op, "[other]"), "[other]\n[main]\nport = 1\n");
    }

    #[test]
    fn set_if_unset_leaves_a_value_alone() {
        let op = "set-if-unset: [{key: a, value: '1'}]";
        assert_eq!(text(Syntax::Assign, op, "a = 2\n"), "a = 2\n");
        assert_eq!(text(Syntax::Assign, op, "#a = 2\n"), "#a = 2\na = 1\n");
    }

    #[test]
    fn renaming_and_mapping_keep_the_rest_of_the_line() {
        let op = "rename: [{key: old name, to: new name}]";
        assert_eq!(text(Syntax::Ini, op, "\tOldName  =  x ; y\r\n"), "\tnew name  =  x ; y\r\n");
        let op = "map-value: [{keys: [password_encryption], values: {on: md5}}]";
        assert_eq!(
            text(Syntax::Assign, op, "password_encryption = ON # x\npassword_encryption = scram\n"),
            "password_encryption = md5 # x\npassword_encryption = scram\n"
        );
    }

    #[test]
    fn what_is_replaced_is_told_with_its_line() {
        let op = "replace: [{text: 'php{old}', with: 'php{new}'}]";
        let done = edited(Syntax::Text, op, "a\nphp13 php13\n");
        assert_eq!(done.bytes, b"a\nphp17 php17\n");
        assert_eq!(done.changes, ["line 2: `php13` is now `php17`"]);
    }

    #[test]
    fn an_item_leaves_its_list_and_an_empty_list_becomes_a_comment() {
        let op = "drop-item: [{keys: [Algs], items: [dss, dss-cert], why: gone}]";
        let cases = [
            ("Algs rsa,dss,ed\n", "Algs rsa,ed\n"),
            ("algs DSS, rsa # x\n", "algs rsa # x\n"),
            ("Algs rsa dss-cert dss\n", "Algs rsa\n"),
            ("Algs +dss,rsa\n", "Algs +rsa\n"),
            ("Algs ^dss,dss-cert\n", "# gone:\n#Algs ^dss,dss-cert\n"),
            ("Algs dss\n", "# gone:\n#Algs dss\n"),
            ("Algs dss2,xdss\nOther dss,rsa\n", "Algs dss2,xdss\nOther dss,rsa\n"),
            ("Algs rsa,,ed\n", "Algs rsa,,ed\n"),
        ];
        for (before, after) in cases {
            assert_eq!(text(Syntax::Keyword, op, before), after);
        }
    }

    #[test]
    fn operations_follow_the_order_of_versions_and_questions_come_first() {
        let ops = "gone: [{keys: [b], why: gone, since: '17'}], \
                   rename: [{key: c, to: d, since: '17'}, {key: a, to: b, since: '15'}], \
                   map-value: [{keys: [c], values: {x: y}, since: '17'}], \
                   ask: [{keys: [c], values: [x], why: ask, since: '17'}]";
        let done = edited(Syntax::Assign, ops, "a = 1\nc = x\n");
        assert_eq!(done.bytes, b"# gone:\n#b = 1\nd = y\n");
        // The question is asked of the old value, and told with the line where it stands now.
        assert_eq!(done.doubts, ["line 3 sets `c`: ask"]);
    }

    #[test]
    fn an_operation_is_done_only_when_its_version_is_crossed() {
        for (since, crossed) in [("13", false), ("14", true), ("17", true), ("18", false)] {
            let op = format!("rename: [{{key: a, to: b, since: '{since}'}}]");
            assert_eq!(text(Syntax::Assign, &op, "a = 1\n") == "b = 1\n", crossed, "{since}");
        }
    }

    #[test]
    fn a_question_is_asked_and_changes_nothing() {
        let done = edited(
            Syntax::Ini,
            "ask: [{keys: [security], values: [server, share], why: ask}]",
            "security = Share\nsecurity = user\n",
        );
        assert_eq!(done.bytes, b"security = Share\nsecurity = user\n");
        assert_eq!(done.doubts, ["line 1 sets `security`: ask"]);
    }
}
