//! The scheduled-posts server. This file declares the modules and calls the command line.

mod access;
mod ai;
mod app;
mod cli;
mod config;
mod entities;
mod error;
mod extract;
mod limits;
mod migrations;
mod open_files;
mod openapi;
mod own_instance;
mod page_config;
mod phases;
mod redirect;
mod requests;
mod routes;
mod signals;
mod stand_in;
mod state;
mod store;
mod telemetry;
mod time;
mod upkeep;
mod webhook;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(cli::Cli::parse()).await
}
