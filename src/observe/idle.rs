//! Whether a container's command runs a service, or only keeps the container there.
//!
//! People make such containers to have a small machine: with a command that does nothing, and
//! services that are started by hand or by an init. What is switched on in them is what counts.

/// Programs that wait and do nothing else.
const WAITING: &[&str] = &["sleep", "cat", "tail", "pause", "yes", "top"];

/// Shells, which wait for somebody when they are given nothing to do.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "zsh", "ksh", "fish"];

/// The first process of a whole system: it does not run without privileges, and starts what is
/// switched on.
const INITS: &[&str] = &["init", "systemd", "openrc-init", "linuxrc", "runit-init", "upstart"];

/// Programs that start another one, and are no service themselves.
const WRAPPERS: &[&str] =
    &["tini", "dumb-init", "docker-init", "catatonit", "env", "exec", "nohup", "setsid"];

/// Words of a shell that do nothing for a service.
const FILLING: &[&str] =
    &["done", "true", "false", ":", "wait", "trap", "exit", "echo", "fi", "read"];

/// Words of a shell that another command follows.
const BEFORE: &[&str] = &["while", "until", "do", "if", "then", "else"];

/// Whether `argv` starts no service: it waits, or is the init of a whole system.
pub(crate) fn is_idle(argv: &[String]) -> bool {
    let mut words = argv.iter().map(String::as_str);
    let program = loop {
        let Some(word) = words.next() else { return true };
        let name = base_name(word);
        let is_option = word.starts_with('-') || (word.contains('=') && !word.starts_with('/'));
        if !is_option && !WRAPPERS.contains(&name) {
            break name;
        }
    };
    let arguments: Vec<&str> = words.collect();
    if INITS.contains(&program) || WAITING.contains(&program) {
        return true;
    }
    if !SHELLS.contains(&program) {
        return false;
    }
    match arguments.iter().position(|argument| is_command_option(argument)) {
        Some(at) => arguments.get(at + 1).is_none_or(|line| is_idle_line(line)),
        // A script is something to do; options alone are not.
        None => arguments.iter().all(|argument| argument.starts_with(['-', '+'])),
    }
}

/// `-c`, also among other letters.
fn is_command_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| {
        letters.ends_with('c') && letters.bytes().all(|b| b.is_ascii_lowercase())
    })
}

/// Whether all that the line of a shell does is waiting.
fn is_idle_line(line: &str) -> bool {
    line.split([';', '\n', '|', '&']).all(|part| {
        let mut words = part.split_whitespace().peekable();
        while words.peek().is_some_and(|word| BEFORE.contains(word)) {
            words.next();
        }
        match words.next() {
            None => true,
            Some(word) if FILLING.contains(&word) => true,
            Some("exec") => words.next().is_none_or(|word| is_idle(&[word.to_owned()])),
            Some(word) => WAITING.contains(&base_name(word)),
        }
    })
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(line: &[&str]) -> bool {
        let argv: Vec<String> = line.iter().map(|&word| word.to_owned()).collect();
        is_idle(&argv)
    }

    #[test]
    fn a_command_that_waits_or_is_an_init_starts_no_service() {
        for line in [
            &["sleep", "infinity"][..],
            &["/bin/sleep", "1000"],
            &["tail", "-f", "/dev/null"],
            &["bash"],
            &["/bin/sh", "-s"],
            &["bash", "-l", "-i"],
            &["sh", "-c", "while true; do sleep 1; done"],
            &["sh", "-c", "trap : TERM INT; sleep infinity & wait"],
            &["bash", "-lc", "exec sleep infinity"],
            &["/usr/bin/tini", "--", "sleep", "infinity"],
            &["/sbin/init"],
            &["/lib/systemd/systemd", "--system"],
            &["cat"],
            &["env", "A=b", "bash"],
            &[],
        ] {
            assert!(idle(line), "{line:?}");
        }
    }

    #[test]
    fn a_command_that_does_something_is_a_service() {
        for line in [
            &["httpd", "-D", "FOREGROUND"][..],
            &["sh", "-c", "service x start && sleep infinity"],
            &["sh", "-c", "exec httpd"],
            &["bash", "/entrypoint.sh"],
            &["/entrypoint.sh", "sleep"],
            &["/usr/bin/tini", "--", "/app/run"],
            &["python3", "/srv/app.py"],
            &["sh", "-c", "while true; do /app/poll; sleep 1; done"],
        ] {
            assert!(!idle(line), "{line:?}");
        }
    }
}
