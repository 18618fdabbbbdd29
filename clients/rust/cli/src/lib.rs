//! What the command line is made of. The conformance suite drives its texts and its JSON, too.

#[rustfmt::skip]
mod contract;
#[rustfmt::skip]
mod descriptors;
mod follow;
pub mod json;
mod measure;
mod parsing;
mod program;
mod run;
pub mod text;
mod works;

use program::Program;

/// Runs one invocation and gives its exit code: 0 done, 1 failure, 2 wrong usage, 130 interrupted, 143 terminated.
pub async fn main(arguments: &[String]) -> u8 {
    Program::new().main(arguments).await
}
