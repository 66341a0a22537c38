//! `openapi`: the API's description on standard output. Reads no environment, opens nothing.

use crate::openapi;

#[expect(clippy::print_stdout, reason = "what the subcommand is for")]
pub(super) fn run() {
    println!("{}", openapi::document());
}
