//! [`Line`]: a line of a configuration file that has an effect.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How deep blocks are followed; deeper ones count as what they stand in.
const DEPTH: usize = 16;

/// How much of a line is looked at, in characters.
const LENGTH: usize = 2048;

/// Lines of scripts that only bound what stands between them.
const STRUCTURE: &[&str] = &["do", "done", "else", "end", "endif", "esac", "fi", "then"];

/// A line that has an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The heads of the sections that it stands in, outermost first.
    pub(crate) section: String,
    /// What it sets: the word before `=` or `:`, else its first one, in lower case.
    pub(crate) key: String,
    /// Its text without comment, with single blanks.
    pub(crate) text: String,
}

impl Line {
    /// Its text as far as a difference in it matters: not in quotes, blanks, the end of a line
    /// and the signs that group, nor in the order of directories in which something is looked for.
    pub(super) fn canon(&self) -> String {
        let text = self.text.replace("/var/run/", "/run/");
        let text = match text.contains(":/") {
            true => text.split_inclusive(&[' ', '=', '"', '\''][..]).map(sorted).collect(),
            false => text,
        };
        let kept =
            text.chars().filter(|c| !matches!(c, '"' | '\'' | ' ' | ';' | '(' | ')' | '{' | '}'));
        kept.collect::<String>()
    }
}

/// `word`; when it is a list of directories, in one order, and of those that are one on every merged
/// system one.
fn sorted(word: &str) -> Cow<'_, str> {
    let list = word.trim_end_matches([' ', '=', '"', '\'']);
    let dirs: Vec<&str> = list.split(':').collect();
    if dirs.len() < 2 || !dirs.iter().all(|dir| dir.starts_with('/')) {
        return Cow::Borrowed(word);
    }
    let merged = |dir: &str| match dir {
        "/bin" | "/sbin" => format!("/usr{dir}"),
        _ => dir.to_owned(),
    };
    let dirs: BTreeSet<String> = dirs.into_iter().map(merged).collect();
    Cow::Owned(dirs.into_iter().collect::<Vec<_>>().join(":"))
}

/// The comment that goes on over several lines.
#[derive(Clone, Copy)]
struct Block {
    start: &'static str,
    end: &'static str,
}

const BLOCKS: [Block; 2] = [Block { start: "/*", end: "*/" }, Block { start: "<!--", end: "-->" }];

/// The lines of `text` that have an effect; `None` for what is no text.
pub(crate) fn lines(text: &[u8]) -> Option<Vec<Line>> {
    let text = as_text(text)?;
    let mut found = Vec::new();
    let (mut header, mut blocks) = (String::new(), Vec::<String>::new());
    let all: Vec<String> = logical(&text).iter().map(|line| without_comment(line)).collect();
    let all = statements(all);
    let closed_later = closed_later(&all);
    for (line, is_closed_later) in all.iter().zip(closed_later) {
        if line.starts_with('[') && line.ends_with(']') && !line.contains('=') {
            header.clone_from(line);
            continue;
        }
        let closes = line.starts_with("</") || balance(line) < 0;
        if closes {
            blocks.pop();
        }
        let is_tag = line.starts_with('<') && !line.starts_with("</");
        let opens = (is_tag && (!line.ends_with("/>") || is_closed_later)) || balance(line) > 0;
        // What only opens a part says nothing by itself: what stands in it knows its head.
        let is_head = opens && line.ends_with(['{', '>']);
        let active = !is_head
            && !line.starts_with("</")
            && !STRUCTURE.contains(&&**line)
            && line.chars().any(char::is_alphanumeric);
        if active {
            let section = [&[header.clone()], &blocks[..]].concat().join(" ").trim().to_owned();
            found.push(Line { section, key: key(line), text: line.clone() });
        }
        if opens && blocks.len() < DEPTH {
            blocks.push(line.trim_end_matches('{').trim_end().to_owned());
        }
    }
    Some(found)
}

/// Of each line whether the next tag of its name closes it: a head may end with `/>` where that is
/// the root, and in other languages a tag that ends so is closed at once.
fn closed_later(lines: &[String]) -> Vec<bool> {
    let mut next = BTreeMap::<String, bool>::new();
    let mut found: Vec<bool> = lines
        .iter()
        .rev()
        .map(|line| {
            let Some(tag) = line.strip_prefix('<') else { return false };
            let (tag, closes) = match tag.strip_prefix('/') {
                Some(tag) => (tag, true),
                None => (tag, false),
            };
            let name = tag.split([' ', '>']).next().unwrap_or_default().to_lowercase();
            next.insert(name, closes) == Some(true)
        })
        .collect();
    found.reverse();
    found
}

/// The lines of `text` outside of comments, as they stand there.
pub(crate) fn effective(text: &[u8]) -> Option<String> {
    let text = as_text(text)?;
    let mut kept = String::new();
    for line in outside(&text) {
        kept.push_str(line);
        kept.push('\n');
    }
    Some(kept)
}

/// What is no text has no lines, and what is encoded as one neither: keys and certificates.
fn as_text(text: &[u8]) -> Option<Cow<'_, str>> {
    let text = (!text.contains(&0)).then(|| String::from_utf8_lossy(text))?;
    (!text.contains("-----BEGIN ")).then_some(text)
}

/// The lines of `text` outside of comments, without blanks around them.
fn outside(text: &str) -> impl Iterator<Item = &str> {
    let mut inside: Option<Block> = None;
    let mut goes_on = false;
    text.lines().filter_map(move |line| {
        let mut line = line.trim();
        if let Some(block) = inside {
            let (_, rest) = line.split_once(block.end)?;
            inside = None;
            line = rest.trim();
        }
        if let Some(block) = BLOCKS.into_iter().find(|block| line.starts_with(block.start)) {
            let Some((_, rest)) = line.split_once(block.end) else {
                inside = Some(block);
                return None;
            };
            line = rest.trim();
        }
        // What goes on is no comment, whatever it begins with.
        if line.is_empty() || (!goes_on && is_comment(line)) {
            goes_on = goes_on && !line.is_empty();
            return None;
        }
        goes_on = line.ends_with('\\');
        Some(line)
    })
}

/// The lines of `text` outside of comments, put together where they go on in the next one.
fn logical(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut begun = String::new();
    for line in outside(text) {
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part.trim_end(), true),
            None => (line, false),
        };
        if begun.len() < LENGTH {
            if !begun.is_empty() && !part.is_empty() {
                begun.push(' ');
            }
            begun.extend(part.chars().take(LENGTH));
        }
        if !goes_on && !begun.is_empty() {
            found.push(std::mem::take(&mut begun));
        }
    }
    found.extend(Some(begun).filter(|begun| !begun.is_empty()));
    found
}

/// `lines`, put together up to the sign at its end where nearly all statements have one.
fn statements(lines: Vec<String>) -> Vec<String> {
    let ended = |line: &String| line.ends_with([';', '{', '}']);
    // Blocks are written alike in all languages, so they show nothing.
    let plain = lines.iter().filter(|line| !line.ends_with(['{', '}']));
    let (plain, signed) = plain
        .fold((0, 0), |(all, signed), line| (all + 1, signed + usize::from(line.ends_with(';'))));
    if lines.len() < 3 || plain == 0 || signed * 4 < plain * 3 {
        return lines;
    }
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        let next = !ended(&line);
        match found.last_mut() {
            Some(last) if goes_on && last.len() < LENGTH => {
                last.push(' ');
                last.push_str(&line);
            }
            _ => found.push(line),
        }
        goes_on = next;
    }
    found
}

/// Whether a line has no effect: empty, or a comment in most languages. Two words that begin as
/// one have: some languages read other files with them.
fn is_comment(line: &str) -> bool {
    let reads = |word: &str| {
        line.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with(['/', '"']))
    };
    if reads("#includedir ") || reads("#include ") {
        return false;
    }
    line.is_empty()
        || line.starts_with(['#', ';'])
        || line.starts_with("//")
        || line == "--"
        || line.starts_with("-- ")
        || line == "dnl"
        || line.starts_with("dnl ")
}

/// The line up to a comment behind it, with single blanks.
fn without_comment(line: &str) -> String {
    let mut quote = None;
    let mut before = ' ';
    let mut end = line.len();
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open && before != '\\' => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {
                let rest = &line[at..];
                let comment = rest.starts_with("# ") || rest == "#" || rest.starts_with("// ");
                if at > 0 && before.is_whitespace() && comment {
                    end = at;
                    break;
                }
            }
        }
        before = c;
    }
    line[..end].split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many more blocks a line opens than it closes.
fn balance(line: &str) -> i64 {
    line.chars().fold(0, |sum, c| match c {
        '{' => sum + 1,
        '}' => sum - 1,
        _ => sum,
    })
}

fn key(line: &str) -> String {
    let plain = |text: &str| {
        let word = |c: char| c.is_alphanumeric() || "_.-:[] ".contains(c);
        !text.is_empty() && text.len() < 80 && text.chars().all(word)
    };
    let named = line.split_once('=').map(|(key, _)| key.trim_end_matches([' ', '+', ':', '?']));
    let first = line.split(' ').next().unwrap_or_default();
    let key = match named {
        Some(key) if plain(key) => key.strip_prefix("export ").unwrap_or(key),
        _ => first.trim_end_matches([':', ';', ',']),
    };
    key.trim().trim_matches('"').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, String, String)> {
        let found = lines(text.as_bytes()).unwrap();
        found.into_iter().map(|line| (line.section, line.key, line.text)).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        told(text).into_iter().map(|(_, _, text)| text).collect()
    }

    #[test]
    fn comments_and_empty_lines_have_no_effect_in_any_language() {
        let text = "# a\n; b\n// c\n/* d\n e\n*/\n<!-- f\n-->\n-- g\ndnl h\n\n  port   1 # i\n\
                    listen { any; }; // j\n--flag\n-l ::1\n";
        assert_eq!(texts(text), ["port 1", "listen { any; };", "--flag", "-l ::1"]);
    }

    #[test]
    fn what_looks_like_a_comment_inside_a_value_is_none() {
        let text =
            "log \"a # b\"\nurl http://x/#y\n#includedir /etc/sudoers.d\n#include is a word\n";
        let all = ["log \"a # b\"", "url http://x/#y", "#includedir /etc/sudoers.d"];
        assert_eq!(texts(text), all);
    }

    #[test]
    fn a_line_is_known_by_its_key_and_its_section() {
        let text = "[a]\nMax Log = 1\n[b]\nmax log=2\nexport X=3\n";
        let line = |section: &str, key: &str, text: &str| {
            (section.to_owned(), key.to_owned(), text.to_owned())
        };
        assert_eq!(
            told(text),
            [
                line("[a]", "max log", "Max Log = 1"),
                line("[b]", "max log", "max log=2"),
                line("[b]", "x", "export X=3"),
            ]
        );
        let text = "options {\n  x { any; };\n};\n<Dir /a>\nDeny all\n</Dir>\ntype: y\n";
        assert_eq!(
            told(text),
            [
                line("options", "x", "x { any; };"),
                line("<Dir /a>", "deny", "Deny all"),
                line("", "type", "type: y"),
            ]
        );
    }

    #[test]
    fn a_head_that_ends_as_a_tag_without_content_is_one_where_it_is_closed() {
        let section = |text: &str| lines(text.as_bytes()).unwrap().pop().unwrap().section;
        assert_eq!(section("<Dir />\nDeny all\n</Dir>\n"), "<Dir />");
        assert_eq!(section("<Dir />\nDeny all\n</dir>\ny 1\n"), "");
        assert_eq!(section("<list>\n<item />\n<item>\nx 1\n</item>\ny 1\n"), "<list>");
    }

    #[test]
    fn a_line_that_goes_on_is_one() {
        assert_eq!(texts("a \\\n  b \\\n  c\nd\n"), ["a b c", "d"]);
        assert_eq!(texts("a \\"), ["a"]);
        assert_eq!(texts("a \\\n# b\nc\n"), ["a", "c"]);
    }

    #[test]
    fn a_statement_that_ends_with_a_sign_may_stand_in_several_lines() {
        let text = "a 1;\nb {\n c 2;\n d 3\n  4; # e\n}\nf 5;\n";
        assert_eq!(texts(text), ["a 1;", "c 2;", "d 3 4;", "f 5;"]);
        assert_eq!(texts("a 1\nb 2\nc 3;\n"), ["a 1", "b 2", "c 3;"]);
    }

    #[test]
    fn the_lines_that_have_an_effect_say_the_same_as_the_whole_text() {
        let text = "# a\n[s] \n/* b\n*/ c 1 # d\ne \\\n  f\n";
        let short = effective(text.as_bytes()).unwrap();
        assert_eq!(short, "[s]\nc 1 # d\ne \\\nf\n");
        assert_eq!(lines(short.as_bytes()), lines(text.as_bytes()));
        assert_eq!(effective(b"a\0"), None);
    }

    #[test]
    fn what_is_no_text_has_no_lines() {
        assert_eq!(lines(b"a\0b"), None);
        assert_eq!(lines(b"-----BEGIN DH PARAMETERS-----\nMIGH\n"), None);
        assert_eq!(lines(b"\xff x\n").unwrap().len(), 1);
        let deep = "a {\nb\n".repeat(50_000);
        assert_eq!(lines(deep.as_bytes()).unwrap().len(), 50_000);
    }
}
