//! `openapi`: the API's description on standard output. No setting has a say in it.

use crate::openapi;

#[expect(clippy::print_stdout, reason = "what the subcommand is for")]
pub(super) fn run() {
    println!("{}", openapi::document());
}
