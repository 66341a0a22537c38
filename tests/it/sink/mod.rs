//! The sink for databases, on all three of them.

mod backfill;
mod conformance;
mod effects;
mod faults;
mod fit;
mod fit_names;
mod held;
mod hooks;
mod instances;
mod letters;
mod lockouts;
mod mapping;
mod mapping_fit;
mod mapping_same;
mod order;
mod organizations;
mod organizations_backfill;
mod outages;
mod pages;
mod roles;
mod rowless;
mod schema;
mod states;
mod storm;
mod verified;
