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
mod c_answers;
mod c_documents;
mod c_keys;
mod c_leaks;
mod c_races;
mod c_rotation;
mod d_cache;
mod d_load;
mod g_configuration;
mod members;
mod mutations;
mod rows;
mod target;
