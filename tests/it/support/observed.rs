//! What the crate tells operators: every event's fields as text, every metric with its labels.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, LocalRecorderGuard,
    Metadata, Recorder, SharedString, Unit,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};

/// Listens on this thread from [`start`](Self::start) on: for tests on a current-thread runtime.
pub(crate) struct Observed {
    events: Arc<Mutex<String>>,
    metrics: &'static Metrics,
    _guards: (DefaultGuard, LocalRecorderGuard<'static>),
}

impl Observed {
    pub(crate) fn start() -> Self {
        let events = Arc::<Mutex<String>>::default();
        let subscriber = tracing::subscriber::set_default(Log { events: events.clone() });
        // Leaked, as a recorder's guard borrows it: some bytes a test.
        let metrics: &'static Metrics = Box::leak(Box::default());
        let recorder = metrics::set_default_local_recorder(metrics);
        Self { events, metrics, _guards: (subscriber, recorder) }
    }

    /// One line an event: level, target, fields.
    pub(crate) fn text(&self) -> String {
        self.events.lock().unwrap().clone()
    }

    /// Each metric as `name{label=value,…}`, with its value.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let values = self.metrics.values.lock().unwrap();
        values.iter().map(|(name, value)| (name.clone(), *value.lock().unwrap())).collect()
    }
}

struct Log {
    events: Arc<Mutex<String>>,
}

impl Subscriber for Log {
    fn enabled(&self, _metadata: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.events.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.events.lock().unwrap()));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = self.events.lock().unwrap();
        let metadata = event.metadata();
        write!(text, "{} {}", metadata.level(), metadata.target()).unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

#[derive(Debug, Default)]
struct Metrics {
    values: Mutex<BTreeMap<String, Arc<Value>>>,
}

type Value = Mutex<f64>;

struct Cell(Arc<Value>);

impl Metrics {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels: Vec<_> = key.labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::new(Cell(self.values.lock().unwrap().entry(name).or_default().clone()))
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        *self.0.lock().unwrap() += value as f64;
    }

    fn absolute(&self, value: u64) {
        *self.0.lock().unwrap() = value as f64;
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        *self.0.lock().unwrap() += value;
    }

    fn decrement(&self, value: f64) {
        *self.0.lock().unwrap() -= value;
    }

    fn set(&self, value: f64) {
        *self.0.lock().unwrap() = value;
    }
}

/// The last value.
impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        *self.0.lock().unwrap() = value;
    }
}

impl Recorder for Metrics {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell(key))
    }
}
