//! Comparison of cases in turns, round by round, so that other load on the machine affects all of
//! them. A ratio is formed within each round: absolute times say nothing about another machine, and
//! two times from different seconds are hardly comparable.

use std::time::{Duration, Instant};

use tower_clerk::clock::{Clock, SystemClock};

/// The rounds, in each of which every case has one turn.
const ROUNDS: usize = 200;

/// The rounds before them that are not counted.
const WARM_UP: usize = 10;

/// The shortest time of a turn.
const TURN: Duration = Duration::from_millis(1);

/// The calls between two readings of the clock. A thread makes their arguments right before: few
/// enough to stay in its own cache.
const BATCH: usize = 64;

/// A case's turn: makes calls for about this long, and returns the nanoseconds per call.
type Turn<'a> = Box<dyn FnMut(Duration) -> f64 + 'a>;

/// Cases that take turns.
pub(crate) struct Turns<'a> {
    group: &'static str,
    rounds: usize,
    warm_up: usize,
    cases: Vec<(String, Turn<'a>)>,
}

impl<'a> Turns<'a> {
    /// Returns a group without cases.
    pub(crate) fn new(group: &'static str) -> Self {
        Self { group, rounds: ROUNDS, warm_up: WARM_UP, cases: Vec::new() }
    }

    /// Sets the number of rounds, default: 200, and of uncounted rounds before them, default: 10.
    pub(crate) fn rounds(mut self, rounds: usize, warm_up: usize) -> Self {
        (self.rounds, self.warm_up) = (rounds, warm_up);
        self
    }

    /// Adds a case that measures itself.
    pub(crate) fn timed(&mut self, name: &str, turn: impl FnMut(Duration) -> f64 + 'a) {
        self.cases.push((name.to_owned(), Box::new(turn)));
    }

    /// Adds a case without an argument.
    pub(crate) fn case<T>(&mut self, name: &str, mut call: impl FnMut() -> T + 'a) {
        self.batched(name, || (), move |()| call());
    }

    /// Adds a case with an argument for each call, which is made outside of the measured time.
    pub(crate) fn batched<A, T>(
        &mut self,
        name: &str,
        mut make: impl FnMut() -> A + 'a,
        mut call: impl FnMut(A) -> T + 'a,
    ) {
        self.timed(name, move |turn| batches(turn, &mut make, &mut call).nanos_each());
    }

    /// Runs all cases in turns, forwards in one round and backwards in the next.
    pub(crate) fn take(mut self) -> Figures {
        let (rounds, warm_up, turn) = match super::in_earnest() {
            true => (self.rounds, self.warm_up, TURN),
            false => (2, 0, Duration::ZERO),
        };
        let mut times = Vec::with_capacity(rounds);
        for round in 0..warm_up + rounds {
            let mut taken = vec![0.0; self.cases.len()];
            let mut order: Vec<usize> = (0..self.cases.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for case in order {
                taken[case] = (self.cases[case].1)(turn);
            }
            if round >= warm_up {
                times.push(taken);
            }
        }
        let names = self.cases.into_iter().map(|(name, _)| name).collect();
        Figures::new(self.group, names, times)
    }
}

/// The work of one thread in a turn.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    pub(crate) calls: usize,
    /// The time of the calls alone.
    pub(crate) took: Duration,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

impl Done {
    fn nanos_each(self) -> f64 {
        self.took.as_secs_f64() * 1e9 / self.calls as f64
    }
}

/// Makes arguments in small batches and calls with them, for `turn`.
pub(crate) fn batches<A, T>(
    turn: Duration,
    mut make: impl FnMut() -> A,
    mut call: impl FnMut(A) -> T,
) -> Done {
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let mut done = Done { calls: 0, took: Duration::ZERO, began, ended: began };
    let mut batch = Vec::with_capacity(BATCH);
    while done.calls == 0 || done.ended - began < turn {
        batch.extend((0..BATCH).map(|_| make()));
        let start = clock.monotonic();
        for argument in batch.drain(..) {
            std::hint::black_box(call(argument));
        }
        done.ended = clock.monotonic();
        done.took += done.ended - start;
        done.calls += BATCH;
    }
    done
}

/// The times of one round, by case.
pub(crate) struct Round<'a> {
    names: &'a [String],
    times: &'a [f64],
}

impl Round<'_> {
    /// Returns the nanoseconds of this case.
    pub(crate) fn of(&self, name: &str) -> f64 {
        let at = self.names.iter().position(|known| known == name);
        self.times[at.unwrap_or_else(|| panic!("no case is named {name}"))]
    }
}

/// The measured times, printed as a table line by line.
pub(crate) struct Figures {
    names: Vec<String>,
    rounds: Vec<Vec<f64>>,
}

impl Figures {
    /// Returns the figures of measured rounds, and prints the head of their table.
    pub(crate) fn new(group: &str, names: Vec<String>, rounds: Vec<Vec<f64>>) -> Self {
        println!("\n{group}, rounds: {}", rounds.len());
        println!(
            "\n| {group} | median | of | ratio | 10 % | 90 % | limit |\n|---|---|---|---|---|---|---|"
        );
        Self { names, rounds }
    }

    /// Prints one case compared with another.
    pub(crate) fn beside(&self, name: &str, baseline: &str, limit: Limit) {
        self.line(name, baseline, limit, |round| [round.of(name), round.of(baseline)]);
    }

    /// Prints the difference of two cases compared with a third.
    pub(crate) fn beyond(&self, name: &str, without: &str, baseline: &str, limit: Limit) {
        self.line(&format!("{name}, without {without}"), baseline, limit, |round| {
            [round.of(name) - round.of(without), round.of(baseline)]
        });
    }

    /// Prints the first of two times of each round, and its ratio to the second.
    pub(crate) fn line(
        &self,
        label: &str,
        baseline: &str,
        limit: Limit,
        of: impl Fn(&Round<'_>) -> [f64; 2],
    ) {
        let own = quantile(&mut self.each(|round| of(round)[0]), 0.5);
        self.ratio(label, &format!("{own:.0} ns"), baseline, limit, |round| {
            let [own, baseline] = of(round);
            own / baseline
        });
    }

    /// Prints a case's calls per second compared with another's.
    pub(crate) fn rate(&self, name: &str, baseline: &str, limit: Limit) {
        let own = quantile(&mut self.each(|round| 1e9 / round.of(name)), 0.5);
        self.ratio(name, &format!("{own:.0}/s"), baseline, limit, |round| {
            round.of(baseline) / round.of(name)
        });
    }

    /// Prints the median of the rounds' ratios, and the limits of the middle eight in ten.
    pub(crate) fn ratio(
        &self,
        label: &str,
        own: &str,
        baseline: &str,
        limit: Limit,
        of: impl Fn(&Round<'_>) -> f64,
    ) {
        let mut ratios = self.each(of);
        let [low, ratio, high] = [0.1, 0.5, 0.9].map(|q| quantile(&mut ratios, q));
        println!("| {label} | {own} | {baseline} | {ratio:.3} | {low:.3} | {high:.3} | {limit} |");
    }

    fn each(&self, of: impl Fn(&Round<'_>) -> f64) -> Vec<f64> {
        let Self { names, rounds } = self;
        rounds.iter().map(|times| of(&Round { names, times })).collect()
    }
}

/// The limit of a ratio. Nothing is asserted here: `scripts/bench-ratios` compares.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::AtMost(ratio) => write!(f, "<= {ratio:.3}"),
            Self::AtLeast(ratio) => write!(f, ">= {ratio:.3}"),
        }
    }
}

/// Returns the value that the fraction `q` of all values is below.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}
