//! Where a rule runs something: [`Database`], [`Rebuild`], [`Validator`] and [`RunStep`], the
//! [`Call`] that each of them is, and the condition [`When`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{PatternError, Template, Vars};
use super::scalar::{Argv, PathPattern, PathTemplate, ScriptName};
use super::script::interpreter;
use super::setting::Syntax;
use super::version::Version;
use crate::tree::{Draft, RootPath};

/// Defines a place of the rule language that runs something: the words that say what, which are the
/// same everywhere, and then the place's own. The second name is the word for a program with its
/// arguments.
macro_rules! runs {
    ($(#[$about:meta])* $place:ident, $argv:ident {
        $($(#[$field_about:meta])* $field:ident: $kind:ty,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $place {
            /// A program and its arguments. No shell sees them, unless it is the program.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $argv: Option<Argv>,
            /// In place of a program: a shell script, in a file beside the rule's.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub script: Option<ScriptName>,
            /// What the script finds in `$1`, `$2` and so on.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub args: Vec<Template>,
            /// The script itself: read from its file when the rule is loaded. A rule that says it
            /// here needs no file.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub text: Option<String>,
            $($(#[$field_about])* pub $field: $kind,)*
        }

        impl $place {
            /// What is run.
            pub fn call(&self) -> Call<'_> {
                Call {
                    argv: self.$argv.as_ref(),
                    script: self.script.as_ref(),
                    args: &self.args,
                    text: self.text.as_deref(),
                }
            }

            /// The script's name, and where its text belongs.
            pub(super) fn source(&mut self) -> Option<Source<'_>> {
                self.script.as_ref().map(|name| (name, &mut self.text))
            }
        }
    };
}

/// A script's name, and where its text belongs.
pub(super) type Source<'a> = (&'a ScriptName, &'a mut Option<String>);

/// What one place of a rule runs: a program, or a script with arguments.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub(super) argv: Option<&'a Argv>,
    pub(super) script: Option<&'a ScriptName>,
    pub(super) args: &'a [Template],
    pub(super) text: Option<&'a str>,
}

/// Why a call did not become a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A value is missing.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Neither a program nor a script.
    #[error("the rule does not say what to run")]
    Nothing,
    /// A script without its text, or with one that no shell reads.
    #[error("there is no text of the script `{0}`")]
    Unread(ScriptName),
}

impl<'a> Call<'a> {
    /// Program and arguments with all values put in. A script's text is an argument of its shell
    /// and followed by the script's name; values are the words behind that.
    pub fn expand(&self, vars: &Vars) -> Result<Vec<String>, CallError> {
        let Some(name) = self.script else {
            return Ok(self.argv.ok_or(CallError::Nothing)?.expand(vars)?);
        };
        let unread = || CallError::Unread(name.clone());
        let text = self.text.ok_or_else(unread)?;
        let shell = interpreter(text).ok_or_else(unread)?;
        let mut words = vec![shell.to_owned(), "-c".into(), text.to_owned(), name.to_string()];
        for arg in self.args {
            words.push(arg.expand_text(vars)?);
        }
        Ok(words)
    }

    /// All words in which variables may stand.
    pub(super) fn words(&self) -> impl Iterator<Item = &'a Template> {
        self.argv.into_iter().flat_map(Argv::words).chain(self.args)
    }
}

/// Data that only the program of its own version can read, and how it gets into another.
///
/// One is looked for by `find`; every match is an instance, whose captures are variables below.
/// When the version changes, `directory` is not placed on the new system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// In the layout of images: the variable of the container that names the directory of the data.
    /// `find` and `keep` are paths below that, and `{data}` is the directory without its first
    /// slash. A container that does not set it has no such data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// What of the command line of its server matters to the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<DatabaseOptions>,
    /// Files of the directory that are no data: placed, whatever the version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<PathPattern>,
    /// A file that exists when there is such data.
    pub find: PathPattern,
    /// Its directory on the old system: of the first entry that finds something in it.
    pub directory: PathTemplate,
    /// Run in a throw-away copy of the old system, in order, as root, without network. What one
    /// command starts the next one finds running.
    pub export: Vec<Export>,
    /// Run in the new system once all files are placed, in order, as root.
    pub import: Vec<Import>,
    /// Run after the export in the copy and after the import in the new system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Run last on both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

/// Options of a server, as a container runs it, that matter to its data. They are in the variable
/// `{options}` of all commands, a line `key=value` or `key` each: those of the old container in the
/// copy, and of the new one, adapted, in the new system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseOptions {
    /// The server: by name, without a directory.
    pub programs: Vec<String>,
    /// How its options are to be read, as in `settings`.
    pub syntax: Syntax,
    /// Which of them matter; hyphens and underscores are one.
    pub keys: Vec<String>,
    /// The one that names the directory of the data, in place of `variable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

runs! {
    /// A command in the copy of the old system; it fails the export unless it exits 0.
    Export, run {
        /// The export file that its output becomes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Template>,
    }
}

runs! {
    /// A command in the new system; it fails the import unless it exits 0.
    Import, run {
        /// The export file that becomes its input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stdin: Option<Template>,
        /// The export file that its output has to equal, where the two sides have to be asked in
        /// different words; else there is [`Database::check`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<Template>,
    }
}

runs! {
    /// A command that has to print the same in the copy of the old system and in the new system.
    /// The variable `{at}` is the version of the side it is run on.
    Check, run {
        /// The export file that keeps what it printed in the copy.
        file: Template,
    }
}

runs! {
    /// A command that ends, on either side, what exports or imports started. The variable `{at}` is
    /// the version of the side it is run on.
    Stop, run {}
}

runs! {
    /// A command that makes something again which is generated from files: run in the new system
    /// once all files are placed, before imports, also when no version changed.
    Rebuild, run {
        /// Run only when one of these was placed or removed.
        placed: Vec<PathPattern>,
        /// Run only then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<When>,
        /// The reason, for people.
        why: String,
    }
}

runs! {
    /// A command that succeeds in the new system when the files are right.
    Validator, run {
        /// Run only then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<When>,
    }
}

runs! {
    /// A command inside the new system, as a step of a transition.
    RunStep, argv {
        /// The reason, for people.
        why: String,
        /// Run only then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<When>,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    }
}

/// A condition on the new system; all that is said has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// This package is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Template>,
    /// This path exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathTemplate>,
}

impl Rebuild {
    /// Whether `draft` places or removes one of the files it is made of.
    pub fn is_due(&self, draft: &Draft) -> bool {
        self.placed.iter().any(|glob| {
            glob.compile(&Vars::default()).is_ok_and(|pattern| {
                let is = |path: &RootPath| pattern.matches(path.as_bytes()).is_some();
                draft.nodes().any(|node| is(&node.entry.path)) || draft.deletions().any(is)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator(yaml: &str) -> Validator {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn a_script_is_an_argument_of_its_shell_and_values_are_arguments_of_the_script() {
        let mut vars = Vars::default();
        vars.set("new", "$(reboot)");
        let script = validator(
            "{script: x/check.sh, args: ['{new}', b], text: \"#!/bin/sh\\nexec test \\\"$1\\\"\\n\"}",
        );
        let text = "#!/bin/sh\nexec test \"$1\"\n";
        let words = ["/bin/sh", "-c", text, "x/check.sh", "$(reboot)", "b"];
        assert_eq!(script.call().expand(&vars), Ok(words.map(str::to_owned).to_vec()));
        let program = validator("{run: [test, '{new}']}");
        let words = ["test", "$(reboot)"].map(str::to_owned).to_vec();
        assert_eq!(program.call().expand(&vars), Ok(words));
    }

    #[test]
    fn a_script_that_was_not_read_is_never_run_as_nothing() {
        let unread = |text: &str| {
            let name = "x.sh".parse().unwrap();
            assert_eq!(
                validator(text).call().expand(&Vars::default()),
                Err(CallError::Unread(name))
            );
        };
        unread("{script: x.sh}");
        unread("{script: x.sh, text: ''}");
        unread("{script: x.sh, text: 'exit 0'}");
        let nothing = validator("{when: {path: /etc/x}}");
        assert_eq!(nothing.call().expand(&Vars::default()), Err(CallError::Nothing));
    }
}
