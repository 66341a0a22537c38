//! One test for each row of a catalogue of attacks and faults, named after its row.

mod c_answers;
mod c_documents;
mod c_keys;
mod c_leaks;
mod c_races;
mod c_rotation;
mod d_cache;
mod d_load;
