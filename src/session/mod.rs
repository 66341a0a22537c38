//! FLOW 1: a request on its way to the handler.
