//! `openapi`: prints the API's description. It depends on no setting.

use crate::cli::answer;
use crate::cli::failure::Failure;
use crate::openapi;

pub(super) fn run() -> Result<(), Failure> {
    answer::print(&format!("{}\n", openapi::document()))
}
