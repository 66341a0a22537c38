//! `openapi`: the API's description on standard output. No setting has a say in it.

use crate::cli::{Failure, answer};
use crate::openapi;

pub(super) fn run() -> Result<(), Failure> {
    answer::print(&format!("{}\n", openapi::document()))
}
