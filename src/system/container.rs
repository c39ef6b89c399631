//! [`ContainerSystem`]: commands in a running container of our own.

use std::io::Seek;

use super::{Command, LIMIT, Ran, System, environment};
use crate::engine::{self, Engine};
use crate::failure::{Failure, FailureKind};

/// A running container in which commands may run.
pub(crate) struct ContainerSystem {
    engine: Engine,
    id: String,
}

impl ContainerSystem {
    /// Commands will run in the running container `id`.
    pub(crate) fn new(engine: Engine, id: String) -> ContainerSystem {
        ContainerSystem { engine, id }
    }
}

impl System for ContainerSystem {
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        let mut all = Vec::new();
        for command in commands {
            let ran = run_one(&self.engine, &self.id, command)?;
            let failed = ran.code != 0;
            all.push(ran);
            if failed {
                break;
            }
        }
        Ok(all)
    }
}

/// The variables of every command, but for those that `own` has.
fn variables(own: &[(String, String)]) -> Vec<String> {
    let all = environment().filter(|(name, _)| own.iter().all(|(known, _)| known != name));
    let own = own.iter().map(|(name, value)| format!("{name}={value}"));
    all.map(|(name, value)| format!("{name}={value}")).chain(own).collect()
}

fn run_one(engine: &Engine, id: &str, command: Command) -> Result<Ran, Failure> {
    let line = command.line();
    let scratch = |e| {
        Failure::new(FailureKind::Resource, "running", &line)
            .why("its output cannot be kept")
            .because(e)
            .next("free space for temporary files and run the same command again")
    };
    let mut stdout = tempfile::tempfile().map_err(scratch)?;
    let wanted = engine::Command {
        argv: command.argv,
        user: "0:0".to_owned(),
        env: variables(&command.env),
        directory: "/".to_owned(),
    };
    let stdin = command.stdin.map(|file| Box::new(file) as Box<dyn std::io::Read + Send>);
    let ran = engine.exec(id, &wanted, stdin, &mut stdout, LIMIT).map_err(|e| {
        Failure::new(e.kind(), "running", &line)
            .safe("the old container is as it was, nothing was published")
            .next(e.advice())
            .because(e)
    })?;
    stdout.rewind().map_err(scratch)?;
    Ok(Ran { code: ran.code, stdout, stderr: ran.stderr_tail })
}
