//! [`adapt`]: what a rule says of settings and of mentions, done to the files of a [`Draft`].
//!
//! Pure, as a step is. Files that no operation concerns are not even read.

use std::collections::BTreeMap;

use super::edit::{Edited, edit};
use super::matches::matching;
use super::model::Rule;
use super::outcome::{StepError, StepOutcome};
use super::pattern::{PatternError, Vars};
use super::scalar::PathPattern;
use super::setting::{Mentions, Op, Syntax};
use super::step::{MAX_FILE, content, start};
use crate::tree::{Draft, DraftNode, Entry, Kind, RootPath, Store, escaped};
use crate::verdict::Worth;

/// How many bytes of a script are looked at for the line that names its interpreter.
const MAX_SHEBANG: usize = 4096;

/// Adapts the files of `draft` to the newer version of `rule`'s application: its `settings`, and
/// what it says `everywhere`, in its own configuration and in the places of `mentions`.
///
/// `vars` are the ends of the whole way; `store` holds the draft's archived contents.
///
/// # Errors
/// What could not be read or filled in; the draft may then be changed in part and is to be thrown
/// away.
pub fn adapt(
    rule: &Rule,
    mentions: &Mentions,
    vars: &Vars,
    draft: &mut Draft,
    store: &dyn Store,
) -> Result<Vec<StepOutcome>, StepError> {
    let mut done = Vec::new();
    for setting in &rule.settings {
        let edits = Edits { syntax: setting.syntax, ops: crossed(setting.ops(), vars) };
        done.extend(edits.files(&setting.files, vars, draft, store)?);
    }
    let everywhere = Edits {
        syntax: Syntax::Text,
        ops: crossed(rule.everywhere.iter().map(Op::Replace).collect(), vars),
    };
    let own = rule.layout.iter().filter(|entry| entry.worth == Worth::Config);
    let mut files: Vec<PathPattern> = own.flat_map(|entry| entry.globs.clone()).collect();
    files.extend(mentions.files.iter().cloned());
    // A layout calls the version by its name.
    let mut vars = vars.clone();
    if let Some(new) = vars.get("new").map(<[u8]>::to_vec) {
        vars.set("version", new);
    }
    done.extend(everywhere.files(&files, &vars, draft, store)?);
    done.extend(everywhere.scripts(&mentions.scripts, &vars, draft, store)?);
    Ok(done)
}

/// A text that spoke of an application, with what it is called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mentioned {
    /// The new text.
    pub text: String,
    /// What was changed in it, in words, each once.
    pub changes: Vec<String>,
}

/// What `text` has to be where it speaks of the application of `rule`, whole words and paths only;
/// `None` when it does not.
///
/// # Errors
/// A variable without a value.
pub(crate) fn mentioned(
    rule: &Rule,
    vars: &Vars,
    text: &str,
) -> Result<Option<Mentioned>, PatternError> {
    let (mut bytes, mut changes) = (text.as_bytes().to_vec(), Vec::new());
    for replace in rule.everywhere.iter().filter(|replace| vars.cross(replace.since.as_ref())) {
        let replacement = replace.filled(vars)?;
        let new = replacement.apply(&bytes);
        if new != bytes {
            let (text, with) = (escaped(&replacement.text), escaped(&replacement.with));
            changes.push(format!("`{text}` is now `{with}`"));
            bytes = new;
        }
    }
    let text = String::from_utf8(bytes).ok().filter(|_| !changes.is_empty());
    Ok(text.map(|text| Mentioned { text, changes }))
}

/// The operations whose version the way crosses.
fn crossed<'a>(mut ops: Vec<Op<'a>>, vars: &Vars) -> Vec<Op<'a>> {
    ops.retain(|op| vars.cross(op.since()));
    ops
}

/// Operations on files that are read in one way.
struct Edits<'a> {
    syntax: Syntax,
    ops: Vec<Op<'a>>,
}

impl Edits<'_> {
    /// Edits all regular files that one of `globs` matches, and links as texts.
    fn files(
        &self,
        globs: &[PathPattern],
        vars: &Vars,
        draft: &mut Draft,
        store: &dyn Store,
    ) -> Result<Vec<StepOutcome>, StepError> {
        let mut done = Vec::new();
        if self.ops.is_empty() {
            return Ok(done);
        }
        for (path, vars) in captured(globs, vars, draft, &|_| true)? {
            if let Some(what) = self.redirected(&path, &vars, draft)? {
                done.push(StepOutcome::Changed { path, what });
                continue;
            }
            let Some(node) = draft.get(&path).filter(|node| node.entry.kind.is_file()) else {
                continue;
            };
            let Some(text) = content(node, store)? else {
                done.push(too_large(path));
                continue;
            };
            let edited = edit(&text, self.syntax, &self.ops, &vars)?;
            done.extend(written(&path, &text, edited, draft));
        }
        Ok(done)
    }

    /// Edits the first lines of executable files that name an interpreter there.
    fn scripts(
        &self,
        globs: &[PathPattern],
        vars: &Vars,
        draft: &mut Draft,
        store: &dyn Store,
    ) -> Result<Vec<StepOutcome>, StepError> {
        let mut done = Vec::new();
        if self.ops.is_empty() {
            return Ok(done);
        }
        let executable =
            |node: &DraftNode| node.entry.kind.is_file() && node.entry.meta.mode & 0o111 != 0;
        for (path, vars) in captured(globs, vars, draft, &executable)? {
            let Some(node) = draft.get(&path) else { continue };
            let start = start(node, MAX_SHEBANG, store)?;
            let line = start.split_inclusive(|&b| b == b'\n').next().unwrap_or_default();
            if !line.starts_with(b"#!") {
                continue;
            }
            let mut edited = edit(line, self.syntax, &self.ops, &vars)?;
            if edited.bytes == line {
                continue;
            }
            let Some(text) = content(node, store)? else {
                done.push(too_large(path));
                continue;
            };
            edited.bytes.extend_from_slice(&text[line.len()..]);
            done.extend(written(&path, &text, edited, draft));
        }
        Ok(done)
    }

    /// Edits where the symbolic link at `path` leads, as a text.
    fn redirected(
        &self,
        path: &RootPath,
        vars: &Vars,
        draft: &mut Draft,
    ) -> Result<Option<String>, StepError> {
        let Some(DraftNode { entry: Entry { kind: Kind::Symlink { target }, .. }, .. }) =
            draft.get_mut(path).filter(|_| self.syntax == Syntax::Text)
        else {
            return Ok(None);
        };
        let edited = edit(target, self.syntax, &self.ops, vars)?.bytes;
        if edited == *target {
            return Ok(None);
        }
        let was = std::mem::replace(target, edited);
        Ok(Some(format!("leads to {}, was {}", escaped(target), escaped(&was))))
    }
}

/// The entries that are `wanted` and that one of `globs` matches, with the values of `vars` and
/// what the first one captured.
fn captured(
    globs: &[PathPattern],
    vars: &Vars,
    draft: &Draft,
    wanted: &dyn Fn(&DraftNode) -> bool,
) -> Result<BTreeMap<RootPath, Vars>, StepError> {
    let mut all = BTreeMap::new();
    for glob in globs {
        let pattern = glob.compile(vars)?;
        for path in matching(glob, vars, draft)? {
            if !draft.get(&path).is_some_and(wanted) {
                continue;
            }
            let captured = || pattern.matches(path.as_bytes()).unwrap_or_default().and(vars);
            all.entry(path.clone()).or_insert_with(captured);
        }
    }
    Ok(all)
}

/// What is too large to be edited is for a person.
fn too_large(path: RootPath) -> StepOutcome {
    let why = format!("it is larger than {MAX_FILE} bytes and was not edited");
    StepOutcome::Hold { path, why }
}

/// Puts what became of `text` into the draft, unless it is no text.
fn written(path: &RootPath, text: &[u8], edited: Edited, draft: &mut Draft) -> Vec<StepOutcome> {
    let held = |why| StepOutcome::Hold { path: path.clone(), why };
    if text.contains(&0) {
        // What would be changed in it is for a person to look at.
        let why = format!("it is no text, and was not edited: {}", edited.changes.join(", "));
        return (edited.bytes != text).then(|| held(why)).into_iter().collect();
    }
    if edited.bytes != text {
        draft.write(path, edited.bytes);
    }
    let changed = |what| StepOutcome::Changed { path: path.clone(), what };
    let mut done: Vec<StepOutcome> = edited.changes.into_iter().map(changed).collect();
    done.extend(edited.doubts.into_iter().map(held));
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Version;
    use crate::layout::load::parse;
    use crate::tree::memory::{MemoryTree, Texts};
    use crate::tree::{ContentId, DraftContent, Tree};

    /// One archived content.
    const ARCHIVED: Texts = Texts(&["a = 13\n"]);

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn draft(tree: &MemoryTree, mode: u32) -> Draft {
        let mut draft = Draft::default();
        for entry in tree.walk() {
            let mut entry = entry.unwrap();
            let content = if entry.kind.is_file() {
                entry.meta.mode = mode;
                let bytes = crate::tree::read_file(tree, &entry.path, 1 << 20).unwrap().unwrap();
                DraftContent::Bytes(bytes)
            } else {
                DraftContent::None
            };
            draft.put(DraftNode { entry, content });
        }
        draft
    }

    fn text(draft: &Draft, at: &str) -> String {
        match &draft.get(&path(at)).unwrap().content {
            DraftContent::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn rule(more: &str) -> Rule {
        let text = format!("app: x\ntitle: X\nrecognise: {{paths: [{{path: /x}}]}}\n{more}\n");
        parse("x.yaml", &text).unwrap()
    }

    fn vars() -> Vars {
        let version = |text: &str| text.parse::<Version>().unwrap();
        Vars::versions(&version("13"), &version("17"))
    }

    /// What is done by `more` in a rule, one line each.
    fn told(more: &str, mentions: &Mentions, draft: &mut Draft) -> Vec<String> {
        let line = |outcome| match outcome {
            StepOutcome::Changed { path, what } => format!("{path}: {what}"),
            StepOutcome::Hold { path, why } => format!("{path} held: {why}"),
            other => format!("{other:?}"),
        };
        let done = adapt(&rule(more), mentions, &vars(), draft, &ARCHIVED).unwrap();
        done.into_iter().map(line).collect()
    }

    const REPLACE: &str = "settings: [{files: ['/a/*.conf', '/a/x*'], syntax: text, \
                           replace: [{text: '{old}', with: '{new}'}]}]";

    #[test]
    fn archived_contents_are_read_to_be_edited_once_and_other_names_stay_as_they_are() {
        let tree = MemoryTree::default()
            .file("/a/x.conf", "")
            .link("/a/y.conf", "x.conf")
            .file("/a/z.conf", "\0a 13 b")
            .file("/b/x.conf", "13");
        let mut d = draft(&tree, 0o644);
        d.get_mut(&path("/a/x.conf")).unwrap().content = DraftContent::Stored(ContentId(0));
        assert_eq!(
            told(REPLACE, &Mentions::default(), &mut d),
            [
                "/a/x.conf: line 1: `13` is now `17`",
                "/a/z.conf held: it is no text, and was not edited: line 1: `13` is now `17`"
            ]
        );
        assert_eq!(text(&d, "/a/x.conf"), "a = 17\n");
        assert_eq!(text(&d, "/b/x.conf"), "13");
    }

    #[test]
    fn a_content_that_cannot_be_read_ends_the_adaption() {
        let mut d = draft(&MemoryTree::default().file("/a/x.conf", ""), 0o644);
        d.get_mut(&path("/a/x.conf")).unwrap().content = DraftContent::Stored(ContentId(1));
        let result = adapt(&rule(REPLACE), &Mentions::default(), &vars(), &mut d, &ARCHIVED);
        assert_eq!(result.unwrap_err().to_string(), "reading the archived `/a/x.conf`");
        // What the way does not cross reads nothing.
        let rule = rule(&REPLACE.replace("'{new}'}", "'{new}', since: '18'}"));
        assert!(adapt(&rule, &Mentions::default(), &vars(), &mut d, &ARCHIVED).is_ok());
    }

    #[test]
    fn where_a_link_leads_is_a_text_too() {
        let tree =
            MemoryTree::default().link("/m/13.load", "../avail/p13.load").link("/m/x", "/p131");
        let mut d = draft(&tree, 0o644);
        let more = |syntax: &str| {
            format!(
                "settings: [{{files: ['/m/*'], syntax: {syntax}, replace: [{{text: 'avail/p{{old}}.load', \
                 with: 'avail/p{{new}}.load'}}]}}]"
            )
        };
        assert_eq!(told(&more("ini"), &Mentions::default(), &mut d), [""; 0]);
        assert_eq!(
            told(&more("text"), &Mentions::default(), &mut d),
            ["/m/13.load: leads to ../avail/p17.load, was ../avail/p13.load"]
        );
        assert_eq!(told(&more("text"), &Mentions::default(), &mut d), [""; 0]);
    }

    #[test]
    fn what_is_said_everywhere_reaches_mentions_and_the_application_s_own_configuration() {
        let tree = MemoryTree::default()
            .file("/etc/x/17/main", "/opt/x13/bin\n")
            .file("/etc/x/13/main", "/opt/x13/bin\n")
            .file("/etc/cron.d/job", "0 3 * * * root /opt/x13/bin /srv/opt/x13\n")
            .file("/etc/other", "/opt/x13\n");
        let mut d = draft(&tree, 0o644);
        let more = "layout: [{globs: ['/etc/x/{version}/**'], worth: config, why: w}]\n\
                    everywhere: [{text: '/opt/x{old}', with: '/opt/x{new}'}]";
        let mentions =
            Mentions { files: vec!["/etc/cron.d/*".parse().unwrap()], ..Mentions::default() };
        assert_eq!(
            told(more, &mentions, &mut d),
            [
                "/etc/cron.d/job: line 1: `/opt/x13` is now `/opt/x17`",
                "/etc/x/17/main: line 1: `/opt/x13` is now `/opt/x17`",
            ]
        );
        assert_eq!(text(&d, "/etc/cron.d/job"), "0 3 * * * root /opt/x17/bin /srv/opt/x13\n");
        let said = |text: &str| mentioned(&rule(more), &vars(), text).unwrap();
        let told = said("PATH=/opt/x13/bin:/bin").unwrap();
        assert_eq!(told.text, "PATH=/opt/x17/bin:/bin");
        assert_eq!(told.changes, ["`/opt/x13` is now `/opt/x17`"]);
        assert_eq!(said("/opt/x131"), None);
    }

    #[test]
    fn of_a_script_only_the_line_that_names_its_interpreter_is_changed() {
        let script = "#!/opt/x13/bin -e\n# /opt/x13\n";
        let tree = MemoryTree::default()
            .file("/srv/a/run", script)
            .file("/srv/b", "/opt/x13\n")
            .file("/home/c", script);
        let more = "everywhere: [{text: '/opt/x{old}', with: '/opt/x{new}'}]";
        let mentions =
            Mentions { scripts: vec!["/srv/**".parse().unwrap()], ..Mentions::default() };
        let mut d = draft(&tree, 0o755);
        assert_eq!(
            told(more, &mentions, &mut d),
            ["/srv/a/run: line 1: `/opt/x13` is now `/opt/x17`"]
        );
        assert_eq!(text(&d, "/srv/a/run"), "#!/opt/x17/bin -e\n# /opt/x13\n");
        assert_eq!(told(more, &mentions, &mut draft(&tree, 0o644)), [""; 0]);
    }
}
