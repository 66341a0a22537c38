//! `openapi`: the API's description on standard output. No setting has a say in it.

use crate::cli::answer;
use crate::cli::failure::Failure;
use crate::openapi;

pub(super) fn run() -> Result<(), Failure> {
    answer::print(&format!("{}\n", openapi::document()))
}
