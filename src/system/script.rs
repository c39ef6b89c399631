//! A batch of commands as one shell script, for systems where each run is a world of its own.
//!
//! In a root, everything a run starts ends with it. Commands that belong together (start a server,
//! load a dump, stop it) therefore become one script. Every word is quoted, so the shell sees data.

use std::fmt::Write;

/// `word` as one word of a POSIX shell, whatever it holds.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A script that runs the commands in order and stops after the first that fails.
///
/// Command `n` reads `dir/n.in` when `stdin[n]`, writes `dir/n.out` and `dir/n.err`, and leaves its
/// exit code in `dir/n.code`; a command that was not reached leaves none.
pub(super) fn script(commands: &[(&[String], Input)], dir: &str) -> String {
    let mut text = String::from("umask 022\ncd /\n");
    for (n, (argv, input)) in commands.iter().enumerate() {
        let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
        let stdin = match input {
            Input::File => quoted(&format!("{dir}/{n}.in")),
            Input::None => "/dev/null".to_owned(),
        };
        let base = quoted(&format!("{dir}/{n}"));
        // Writing to a string cannot fail.
        writeln!(
            text,
            "{} <{stdin} >{base}.out 2>{base}.err; code=$?; echo $code >{base}.code; \
             [ $code -eq 0 ] || exit 0",
            words.join(" ")
        )
        .ok();
    }
    text
}

/// What a command reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Nothing.
    None,
    /// Its file in the batch's directory.
    File,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(commands: &[(&[String], Input)], dir: &std::path::Path) -> Vec<String> {
        let text = script(commands, &dir.to_string_lossy());
        let status = std::process::Command::new("sh").arg("-c").arg(text).status().unwrap();
        assert!(status.success());
        (0..commands.len())
            .map(|n| std::fs::read_to_string(dir.join(format!("{n}.code"))).unwrap_or_default())
            .collect()
    }

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|&w| w.to_owned()).collect()
    }

    #[test]
    fn words_reach_the_command_as_they_are_and_a_failure_ends_the_batch() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("0.in"), "input").unwrap();
        let nasty = argv(&["sh", "-c", "cat; printf %s \"$1\"", "x", "a'b\" $(id) `id` \n *"]);
        let (fail, never) = (argv(&["sh", "-c", "exit 7"]), argv(&["true"]));
        let codes =
            run(&[(&nasty, Input::File), (&fail, Input::None), (&never, Input::None)], dir.path());
        assert_eq!(codes, ["0\n", "7\n", ""]);
        let out = std::fs::read_to_string(dir.path().join("0.out")).unwrap();
        assert_eq!(out, "inputa'b\" $(id) `id` \n *");
    }
}
