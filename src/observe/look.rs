//! [`look`]: what runs in a container at this moment, asked in it. Any container that runs may be
//! asked; nothing in it changes.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use super::sample::{Beside, Sample, sections};
use crate::engine::{Command, Engine, EngineError};
use crate::facts::ProcessFact;

const LOOK: &str = include_str!("look.sh");
const LOGS: &str = include_str!("logs.sh");

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than what thousands of processes are told in.
const MOST: usize = 8 << 20;

/// What a look came to.
pub(crate) enum Look {
    Seen(Sample),
    /// It does not run, or cannot be asked.
    Nothing,
}

/// Looks into a container. Where it has no shell, only the engine tells what runs.
///
/// # Errors
/// The run was cancelled; whatever else goes wrong is a look that shows nothing.
pub(crate) fn look(engine: &Engine, container: &str, beside: &Beside) -> Result<Look, EngineError> {
    let told = ask(engine, container, LOOK)?;
    if let Some(sample) = told.and_then(|text| Sample::parse(&text, beside)) {
        return Ok(Look::Seen(sample));
    }
    let listed = match engine.top(container) {
        Ok(listed) => listed,
        Err(error @ EngineError::Cancelled { .. }) => return Err(error),
        Err(_) => return Ok(Look::Nothing),
    };
    let name = |argv: &String| {
        let program = argv.split([' ', ':']).next().unwrap_or_default();
        program.rsplit('/').next().unwrap_or(program).to_owned()
    };
    let fact = |argv: &String| ProcessFact { name: name(argv), account: String::new() };
    let processes = listed.iter().map(fact).collect();
    Ok(Look::Seen(Sample { processes, unasked: true, ..Sample::default() }))
}

/// What was written to the logs in a container since it was started; `known` are the lengths that
/// they had before.
pub(super) fn logs(
    engine: &Engine,
    container: &str,
    known: &BTreeMap<String, u64>,
) -> Result<Vec<u8>, EngineError> {
    let Some(text) = ask(engine, container, LOGS)? else { return Ok(vec![]) };
    let mut all = vec![];
    for (head, body) in sections(&text) {
        let Some((length, file)) = head.strip_prefix("log ").and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let length: u64 = length.parse().unwrap_or_default();
        let before = known.get(file).copied().filter(|&before| before <= length).unwrap_or(0);
        let new = usize::try_from(length - before).unwrap_or(usize::MAX);
        all.extend_from_slice(&body[body.len().saturating_sub(new)..]);
        all.push(b'\n');
    }
    Ok(all)
}

/// What a script prints in the container; `None` where it cannot be run.
fn ask(engine: &Engine, container: &str, script: &str) -> Result<Option<Vec<u8>>, EngineError> {
    let command = Command::root(&["/bin/sh", "-c", script, "regrow-look"]);
    let mut text = Bounded(vec![]);
    match engine.exec(container, &command, None, &mut text, PATIENCE) {
        Ok(ran) if ran.code == 0 => Ok(Some(text.0)),
        Err(error @ EngineError::Cancelled { .. }) => Err(error),
        _ => Ok(None),
    }
}

/// Takes everything and keeps the beginning.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = MOST.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(&bytes[..room]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
