//! Attacks and faults, one test for each row of `tests/attack-rows.tsv`, named after it.

mod a_algorithms;
mod a_claims;
mod a_header;
mod a_keys;
mod a_requests;
mod a_times;
mod against_jsonwebtoken;
mod b_parsing;
mod b_random;
mod b_values;
mod g_configuration;
mod mutations;
mod rows;
mod target;
