//! FLOW 2: a delivery on its way to the sink.
