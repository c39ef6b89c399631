//! What a shell would run: the simple commands of a text, with those in substitutions.
//!
//! Not a whole grammar, only as much of one as it takes to tell commands from what else stands in
//! a script: comments, patterns of a `case`, texts that are handed on, heads of loops, names of
//! functions.

use std::collections::BTreeSet;
use std::ops::Range;

/// Deeper substitutions are not looked into.
const MAX_DEPTH: usize = 12;

/// What was found in a text for the shell.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// The words of each command, in no order. Assignments before a command are words of it.
    pub(super) commands: Vec<Vec<Range<usize>>>,
    /// Names that the script gives to its own functions.
    pub(super) functions: BTreeSet<Vec<u8>>,
    /// What is said to people.
    pub(super) comments: Vec<Range<usize>>,
}

/// Words that another command follows.
const OPENING: &[&[u8]] =
    &[b"!", b"do", b"elif", b"else", b"if", b"then", b"time", b"until", b"while", b"{"];

/// Words that end something.
const CLOSING: &[&[u8]] = &[b"done", b"esac", b"fi", b"}"];

/// Programs that take a line for a shell after `-c`.
const SHELLS: &[&[u8]] =
    &[b"ash", b"bash", b"dash", b"flock", b"ksh", b"runuser", b"sg", b"sh", b"su", b"zsh"];

/// Reads `range` of `text`.
pub(super) fn read(text: &[u8], range: Range<usize>) -> Script {
    let mut reader = Reader::new(text);
    reader.region(range, 0);
    reader.found
}

/// Reads words that are run as they are, without a shell.
pub(super) fn run(text: &[u8], words: Vec<Range<usize>>) -> Script {
    let mut reader = Reader::new(text);
    reader.finish(&mut State { words, ..State::default() }, 0);
    reader.found
}

/// The last component of a word.
pub(super) fn base(word: &[u8]) -> &[u8] {
    word.rsplit(|b| *b == b'/').next().unwrap_or(word)
}

/// Whether `word` gives a variable a value; its name ends at what is returned.
pub(super) fn assigned(word: &[u8]) -> Option<usize> {
    let at = word.iter().position(|b| *b == b'=')?;
    let name = word[..at].strip_suffix(b"+").unwrap_or(&word[..at]);
    let fits = |(i, b): (usize, &u8)| {
        *b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit())
    };
    (!name.is_empty() && name.iter().enumerate().all(fits)).then_some(at)
}

struct Reader<'a> {
    text: &'a [u8],
    found: Script,
    /// Where numbers end for the last time.
    last_calculation: Option<usize>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Reader<'a> {
        let last_calculation = text.windows(2).rposition(|two| two == b"))");
        Reader { text, found: Script::default(), last_calculation }
    }
}

/// How far a region was read.
#[derive(Default)]
struct State {
    words: Vec<Range<usize>>,
    /// The words are a loop's variable and values, or what a `case` compares.
    head: bool,
    /// How many `case` are open.
    cases: usize,
    /// The words are patterns.
    pattern: bool,
    /// Ends of texts that begin on the next line, and whether tabs may stand before them.
    waiting: Vec<(Vec<u8>, bool)>,
    /// The next word is where output goes.
    redirected: bool,
}

impl Reader<'_> {
    fn region(&mut self, range: Range<usize>, depth: usize) {
        let (mut at, end) = (range.start, range.end.min(self.text.len()));
        let mut state = State::default();
        while at < end {
            at = match self.text[at] {
                b'\n' => {
                    self.finish(&mut state, depth);
                    self.skip_texts(at + 1, end, &mut state)
                }
                b if b.is_ascii_whitespace() => at + 1,
                b'\\' if self.text.get(at + 1) == Some(&b'\n') => at + 2,
                b'#' => {
                    let stop = self.text[at..end].iter().position(|b| *b == b'\n');
                    let stop = stop.map_or(end, |length| at + length);
                    self.found.comments.push(at..stop);
                    stop
                }
                b';' | b'&' | b'|' => self.separator(at, &mut state, depth),
                b'(' => self.opened(at, end, &mut state, depth),
                b')' => {
                    if state.pattern {
                        (state.pattern, state.words) = (false, vec![]);
                    }
                    self.finish(&mut state, depth);
                    at + 1
                }
                b'<' | b'>' => self.redirection(at, end, &mut state),
                _ => self.take_word(at, end, &mut state, depth),
            };
        }
        self.finish(&mut state, depth);
    }

    fn separator(&mut self, at: usize, state: &mut State, depth: usize) -> usize {
        let rest = &self.text[at..];
        if rest.starts_with(b"&>") {
            return at + 1;
        }
        if state.pattern {
            state.words.clear();
            return at + 1;
        }
        self.finish(state, depth);
        let ends_case = rest.starts_with(b";;") || rest.starts_with(b";&");
        state.pattern = ends_case && state.cases > 0;
        at + if ends_case { 2 } else { 1 }
    }

    fn opened(&mut self, at: usize, end: usize, state: &mut State, depth: usize) -> usize {
        let rest = &self.text[at..end];
        if state.pattern {
            return at + 1;
        }
        if rest.starts_with(b"((") {
            return self.calculated(at, end).unwrap_or(at + 2);
        }
        let is_function = rest[1..].trim_ascii_start().first() == Some(&b')');
        if is_function && let [name] = state.words.as_slice() {
            self.found.functions.insert(self.text[name.clone()].to_vec());
            state.words.clear();
        }
        self.finish(state, depth);
        at + 1
    }

    /// The operator at `at`; the word after it is no word of the command.
    fn redirection(&self, at: usize, end: usize, state: &mut State) -> usize {
        let rest = &self.text[at..end];
        if rest.starts_with(b"<(") || rest.starts_with(b">(") {
            return at + 1;
        }
        state.redirected = true;
        if !rest.starts_with(b"<<") || rest.starts_with(b"<<<") {
            return at + rest.iter().take_while(|b| matches!(b, b'<' | b'>' | b'&' | b'|')).count();
        }
        let tabs = rest.get(2) == Some(&b'-');
        let from = at + 2 + usize::from(tabs);
        let blank = self.text[from..end].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let length = self.text[from + blank..end].iter();
        let length =
            length.take_while(|b| !b.is_ascii_whitespace() && !b";&|<>()".contains(b)).count();
        let word = &self.text[from + blank..from + blank + length];
        let word = word.iter().copied().filter(|b| !matches!(b, b'"' | b'\'' | b'\\')).collect();
        state.waiting.push((word, tabs));
        from
    }

    /// Where the lines go on after the texts that are handed on.
    fn skip_texts(&self, mut at: usize, end: usize, state: &mut State) -> usize {
        for (last, tabs) in std::mem::take(&mut state.waiting) {
            while at < end {
                let length = self.text[at..end].iter().position(|b| *b == b'\n');
                let stop = length.map_or(end, |length| at + length);
                let mut line = &self.text[at..stop];
                at = (stop + 1).min(end);
                while tabs && line.first() == Some(&b'\t') {
                    line = &line[1..];
                }
                if line == last {
                    break;
                }
            }
        }
        at
    }

    fn take_word(&mut self, at: usize, end: usize, state: &mut State, depth: usize) -> usize {
        let stop = self.word(at, end, depth).max(at + 1);
        if std::mem::take(&mut state.redirected) {
            return stop;
        }
        // The number of what is redirected.
        let digits = self.text[at..stop].iter().all(u8::is_ascii_digit);
        if digits && matches!(self.text.get(stop), Some(b'<' | b'>')) {
            return stop;
        }
        let word = unquoted(self.text, at..stop);
        let text = &self.text[word.clone()];
        if state.pattern && text == b"esac" {
            state.pattern = false;
            state.cases = state.cases.saturating_sub(1);
            return stop;
        }
        if state.head {
            if text == b"in" && state.cases > 0 && !state.words.is_empty() {
                let case = self.text[state.words[0].clone()] == *b"case";
                (state.pattern, state.head) = (case, !case);
                if case {
                    state.words.clear();
                }
            }
            return stop;
        }
        if state.words.is_empty() && !state.pattern {
            if OPENING.contains(&text) {
                return stop;
            }
            if CLOSING.contains(&text) {
                if text == b"esac" {
                    state.cases = state.cases.saturating_sub(1);
                }
                return stop;
            }
            if matches!(text, b"for" | b"select" | b"case") {
                state.head = true;
                state.cases += usize::from(text == b"case");
            }
        }
        state.words.push(word);
        stop
    }

    /// Where the word at `at` ends; what stands in it for what a command says is read too.
    fn word(&mut self, mut at: usize, end: usize, depth: usize) -> usize {
        while at < end {
            at = match self.text[at] {
                b'\\' => at + 2,
                b'\'' => self.quoted(at + 1, end, b'\''),
                b'"' => {
                    let stop = self.double_quoted(at + 1, end, depth);
                    stop + 1
                }
                b'$' | b'`' => self.expansion(at, end, depth),
                b if b.is_ascii_whitespace() || b";&|<>()".contains(&b) => return at,
                _ => at + 1,
            };
        }
        end
    }

    fn quoted(&self, at: usize, end: usize, quote: u8) -> usize {
        self.text[at..end].iter().position(|b| *b == quote).map_or(end, |length| at + length + 1)
    }

    /// Where the quotes close that were opened before `at`.
    fn double_quoted(&mut self, mut at: usize, end: usize, depth: usize) -> usize {
        while at < end {
            at = match self.text[at] {
                b'"' => return at,
                b'\\' => at + 2,
                b'$' | b'`' => self.expansion(at, end, depth),
                _ => at + 1,
            };
        }
        end
    }

    fn expansion(&mut self, at: usize, end: usize, depth: usize) -> usize {
        let rest = &self.text[at..end];
        if rest[0] == b'`' {
            let stop = self.quoted(at + 1, end, b'`');
            self.inside(at + 1..stop.saturating_sub(1), depth);
            return stop;
        }
        if rest.starts_with(b"$((") {
            return self.calculated(at, end).unwrap_or(at + 3);
        }
        match rest.get(1) {
            Some(b'(') => {
                let stop = self.closed(at + 2, end, (b'(', b')'));
                self.inside(at + 2..stop, depth);
                stop + 1
            }
            Some(b'{') => self.closed(at + 2, end, (b'{', b'}')) + 1,
            _ => at + 1,
        }
    }

    /// Where the numbers end that are calculated from `at` on.
    fn calculated(&self, at: usize, end: usize) -> Option<usize> {
        // Nothing is looked for again and again that is nowhere.
        let last = self.last_calculation.filter(|last| at <= *last)?;
        let rest = &self.text[at..end.min(last + 2)];
        rest.windows(2).position(|two| two == b"))").map(|length| at + length + 2)
    }

    fn inside(&mut self, range: Range<usize>, depth: usize) {
        if depth < MAX_DEPTH && range.start < range.end {
            self.region(range, depth + 1);
        }
    }

    /// Where the bracket closes that was opened before `at`.
    fn closed(&self, mut at: usize, end: usize, (open, close): (u8, u8)) -> usize {
        let mut depth = 0;
        while at < end {
            match self.text[at] {
                b'\\' => at += 1,
                b'\'' => at = self.quoted(at + 1, end, b'\'') - 1,
                b if b == open => depth += 1,
                b if b == close && depth == 0 => return at,
                b if b == close => depth -= 1,
                _ => {}
            }
            at += 1;
        }
        end
    }

    /// The command that was read; lines for further shells in it are read too.
    fn finish(&mut self, state: &mut State, depth: usize) {
        let words = std::mem::take(&mut state.words);
        let (head, pattern) = (std::mem::take(&mut state.head), state.pattern);
        state.redirected = false;
        if words.is_empty() || head || pattern {
            return;
        }
        let text = |n: usize| words.get(n).map(|word: &Range<usize>| &self.text[word.clone()]);
        if text(0) == Some(b"function") {
            self.found.functions.extend(text(1).map(<[u8]>::to_vec));
            return;
        }
        let mut lines = Vec::new();
        let has_shell = words.iter().any(|word| SHELLS.contains(&base(&self.text[word.clone()])));
        for (n, word) in words.iter().enumerate().skip(1) {
            let is_option = text(n - 1).is_some_and(|before| {
                before == b"--command"
                    || (before.starts_with(b"-")
                        && !before.starts_with(b"--")
                        && before.ends_with(b"c"))
            });
            let evaluated = n == 1 && matches!(text(0), Some(b"eval" | b"trap"));
            if (has_shell && is_option) || evaluated {
                lines.push(word.clone());
            }
        }
        self.found.commands.push(words);
        lines.into_iter().for_each(|line| self.inside(line, depth));
    }
}

/// The word without the quotes around the whole of it.
fn unquoted(text: &[u8], word: Range<usize>) -> Range<usize> {
    match &text[word.clone()] {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last && !inner.contains(first) => {
            word.start + 1..word.end - 1
        }
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(text: &str) -> Vec<String> {
        let script = read(text.as_bytes(), 0..text.len());
        let words = |words: &Vec<Range<usize>>| -> String {
            words.iter().map(|word| &text[word.clone()]).collect::<Vec<_>>().join(" ")
        };
        script.commands.iter().map(words).collect()
    }

    #[test]
    fn commands_are_told_from_what_else_stands_in_a_script() {
        let cases: &[(&str, &[&str])] = &[
            ("a b; c && d | e & f", &["a b", "c", "d", "e", "f"]),
            ("# no\na 'x y' # no\n", &["a x y"]),
            ("if a; then b; else c; fi", &["a", "b", "c"]),
            ("for x in a b; do c $x; done", &["c $x"]),
            ("while read x; do a; done <f >>g 2>&1", &["read x", "a"]),
            ("case $1 in\nstart|stop) a;;\n(x) b\n;;\nesac\nc", &["a", "b", "c"]),
            ("cat >f <<EOF\nno\nEOF\na", &["cat", "a"]),
            ("cat <<-'X' | a\n\tno\n\tX\nb", &["cat", "a", "b"]),
            ("x=$(a b) y=`c`", &["a b", "c", "x=$(a b) y=`c`"]),
            ("echo \"$(a \"b\") no\"", &["a b", "echo \"$(a \"b\") no\""]),
            ("sh -c 'a; b'", &["sh -c a; b", "a", "b"]),
            ("su - u -c \"a x\"", &["su - u -c a x", "a x"]),
            ("python3 -c 'a; b'", &["python3 -c a; b"]),
            ("( a; b ) >f", &["a", "b"]),
            ("a \\\n  b", &["a b"]),
            ("a >&2 && b", &["a", "b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(commands(text), *expected, "{text}");
        }
    }

    #[test]
    fn functions_are_known_and_what_never_closes_ends_with_the_text() {
        let script = read(b"f() { a; }\nfunction g { b; }\nf", 0..33);
        let names: Vec<_> = script.functions.iter().map(|n| String::from_utf8_lossy(n)).collect();
        assert_eq!(names, ["f", "g"]);
        for text in ["'a", "\"a", "$(a", "`a", "${a", "a\\", "<<", "((", "$((", "case x in", "\"$("]
        {
            commands(text);
        }
        for text in ["$(", "$((", "((", "`$(", "\"${", "<<a ", "case x in "] {
            commands(&text.repeat(100_000));
        }
    }
}
