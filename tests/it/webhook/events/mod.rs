//! Every type of event that Clerk documents, whole and damaged in every way that JSON can be.

mod damaged;
mod read;
mod samples;
