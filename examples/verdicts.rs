//! Lists what of an unpacked root could not be had again, and why.
//!
//! `cargo run --example verdicts -- DIR`

#![allow(clippy::print_stdout, reason = "an example may print")]

use std::error::Error;

use regrow::archive::{ExamineOptions, examine};
use regrow::layout::LayoutDb;
use regrow::monitor::Silent;
use regrow::source::{OpenOptions, Source, SourceSpec};

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).ok_or("which root?")?;
    let spec = SourceSpec::parse(&format!("rootfs:{root}"))?;
    let source = Source::open(&spec, &OpenOptions::default(), &std::env::temp_dir(), &Silent)?;
    let layout = LayoutDb::open(&[])?;
    let examined = examine(&source, &layout, &ExamineOptions::default(), &Silent)?;
    for judged in examined.entries.iter() {
        println!("{:9} {}  {}", judged.class.word(), judged.entry.path, judged.reason);
    }
    Ok(())
}
