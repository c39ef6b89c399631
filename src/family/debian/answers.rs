//! Answers to packages' questions, given again before the packages are installed.
//!
//! Only answers that somebody gave are in a survey: debconf tells them from its own defaults. A
//! package that is installed with them makes itself what it was; asked again at a later upgrade,
//! it finds what the configuration beside it says.

use std::io::{Seek, Write};

use super::apt::AGAIN;
use super::way::unreadable_output;
use crate::failure::{Failure, FailureKind};
use crate::survey::AnswerFact;
use crate::system::{Command, System};

/// Gives answers.
const ANSWER: &str = include_str!("answer.sh");

/// Questions whose answer is another in a staged system. Packages that make a database with
/// dbconfig-common look for its server, which does not run there, and whose data comes back.
const OTHERWISE: &[(&str, &str)] = &[
    ("/dbconfig-install", "false"),
    ("/dbconfig-upgrade", "false"),
    ("/dbconfig-reinstall", "false"),
];

/// What is answered in the staged system: what one line can hold.
pub(super) fn given(answers: &[AnswerFact]) -> Vec<AnswerFact> {
    let is_word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
    let fits = |given: &&AnswerFact| {
        [&given.owner, &given.question, &given.kind].into_iter().all(|word| is_word(word))
            && !given.answer.contains(char::is_control)
    };
    let given = |given: &AnswerFact| {
        let ending = OTHERWISE.iter().find(|(ending, _)| given.question.ends_with(ending));
        let answer = ending.map_or(given.answer.as_str(), |(_, otherwise)| otherwise);
        AnswerFact { answer: answer.to_owned(), ..given.clone() }
    };
    answers.iter().filter(fits).map(given).collect()
}

/// Answers packages' questions before they are asked, where the system has somebody to ask.
pub(super) fn answer(system: &mut dyn System, given: &[AnswerFact]) -> Result<(), Failure> {
    if given.is_empty() {
        return Ok(());
    }
    let failed = |e| unreadable_output(e, "debconf-set-selections");
    let mut stdin = tempfile::tempfile().map_err(failed)?;
    let selections = selections(given);
    stdin.write_all(selections.as_bytes()).and_then(|()| stdin.rewind()).map_err(failed)?;
    let command = Command { stdin: Some(stdin), ..Command::new(&["sh", "-c", ANSWER]) };
    let ran = system.run_one(command)?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Step, "answering", "the packages' questions")
        .why(format!("debconf-set-selections ended with {}: {}", ran.code, ran.complaint()))
        .nothing_left()
        .next(AGAIN))
}

/// What `debconf-set-selections` reads.
fn selections(given: &[AnswerFact]) -> String {
    let line = |given: &AnswerFact| {
        let AnswerFact { owner, question, kind, answer } = given;
        format!("{owner} {question} {kind} {answer}\n")
    };
    given.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: &str, kind: &str, answer: &str) -> AnswerFact {
        AnswerFact {
            question: question.to_owned(),
            owner: "app".to_owned(),
            kind: kind.to_owned(),
            answer: answer.to_owned(),
        }
    }

    #[test]
    fn an_answer_is_one_line_and_no_database_is_made() {
        let answers = [
            answer("app/mailer", "select", "Internet Site"),
            answer("app/forged", "string", "x\nroot passwd string y"),
            answer("app/two words", "string", "x"),
            // Bundles of before say neither owner nor type.
            answer("app/old", "", "x"),
            answer("app/dbconfig-install", "boolean", "true"),
        ];
        let expected =
            "app app/mailer select Internet Site\napp app/dbconfig-install boolean false\n";
        assert_eq!(selections(&given(&answers)), expected);
    }
}
