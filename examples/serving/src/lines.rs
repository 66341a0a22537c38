//! Log lines on their way out of the process: whatever becomes of them, the server goes on.
//!
//! Needed by fault C14.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// A writer for log lines that never fails and never waits. Clones share it.
///
/// A thread of its own writes the lines out. Where they cannot be written (a full disk, a pipe whose
/// reader is gone) or not fast enough (a reader that stalls), lines are lost instead, and the next
/// line that gets through is preceded by how many.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: SyncSender<Message>,
    lost: Arc<Lost>,
}

/// How many lines were lost.
#[derive(Debug, Default)]
struct Lost {
    in_all: AtomicU64,
    untold: AtomicU64,
}

impl Lost {
    fn add_one(&self) {
        self.in_all.fetch_add(1, Ordering::Relaxed);
        self.untold.fetch_add(1, Ordering::Relaxed);
    }
}

enum Message {
    Line(Vec<u8>),
    /// Everything before it was written, or lost.
    Written(SyncSender<()>),
}

impl Lines {
    /// Starts the thread that writes lines to `out`. It ends with the last clone.
    ///
    /// # Errors
    ///
    /// The system gives this process no more threads.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = mpsc::sync_channel(LONGEST_QUEUE);
        let lost = Arc::<Lost>::default();
        let count = Arc::clone(&lost);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(out, &messages, &count))?;
        Ok(Self { queue, lost })
    }

    /// Queues a text, with its line end.
    pub fn push(&self, text: impl Into<Vec<u8>>) {
        if self.queue.try_send(Message::Line(text.into())).is_err() {
            self.lost.add_one();
        }
    }

    /// Returns how many lines were lost until now.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.in_all.load(Ordering::Relaxed)
    }

    /// Waits until what was queued is written, but no longer than `patience`.
    pub fn flush(&self, patience: Duration) {
        let (done, written) = mpsc::sync_channel(1);
        let mut message = Message::Written(done);
        let mut left = patience;
        while let Err(error) = self.queue.try_send(message) {
            let TrySendError::Full(refused) = error else { return };
            if left.is_zero() {
                return;
            }
            message = refused;
            let pause = left.min(LOOK_AGAIN);
            std::thread::sleep(pause);
            left -= pause;
        }
        // An error means that there is nobody to wait for, or that the time is over.
        let _ = written.recv_timeout(left);
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The thread: until the last sender is gone.
fn write_all(mut out: impl Write, messages: &Receiver<Message>, lost: &Lost) {
    for message in messages {
        match message {
            Message::Line(line) => {
                tell_of_lost(&mut out, lost);
                if out.write_all(&line).is_err() {
                    lost.add_one();
                }
            }
            Message::Written(done) => {
                tell_of_lost(&mut out, lost);
                let _ = out.flush();
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }
}

fn tell_of_lost(out: &mut impl Write, lost: &Lost) {
    let count = lost.untold.swap(0, Ordering::Relaxed);
    if count > 0 {
        let told = writeln!(out, "{count} log lines were lost: the log could not be written");
        if told.is_err() {
            lost.untold.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// Lines. With lines of some hundred bytes that is a megabyte or two.
const LONGEST_QUEUE: usize = 8192;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// A file that can be full, and a reader that can stall.
    #[derive(Clone, Default)]
    struct Out(Arc<(Mutex<State>, Condvar)>);

    #[derive(Default)]
    struct State {
        is_full: bool,
        is_stalled: bool,
        written: String,
    }

    impl Out {
        fn set(&self, change: impl FnOnce(&mut State)) {
            change(&mut self.0.0.lock().unwrap());
            self.0.1.notify_all();
        }

        fn written(&self) -> String {
            self.0.0.lock().unwrap().written.clone()
        }
    }

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (state, changed) = &*self.0;
            let mut state = changed.wait_while(state.lock().unwrap(), |s| s.is_stalled).unwrap();
            if state.is_full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.written.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fault_c14_a_full_disk_loses_lines_and_nothing_else() {
        let out = Out::default();
        let lines = Lines::start(out.clone()).unwrap();
        lines.push("first\n");
        lines.flush(LONG);
        out.set(|state| state.is_full = true);
        lines.push("second\n");
        lines.push("third\n");
        lines.flush(LONG);
        out.set(|state| state.is_full = false);
        lines.push("fourth\n");
        lines.flush(LONG);
        let told = "2 log lines were lost: the log could not be written\n";
        assert_eq!(out.written(), format!("first\n{told}fourth\n"));
        assert_eq!(lines.lost(), 2);
    }

    #[test]
    fn fault_c14_nobody_waits_for_a_reader_that_stalls() {
        let out = Out::default();
        let lines = Lines::start(out.clone()).unwrap();
        out.set(|state| state.is_stalled = true);
        for _ in 0..2 * LONGEST_QUEUE {
            lines.push("line\n");
        }
        lines.flush(Duration::ZERO);
        out.set(|state| state.is_stalled = false);
        lines.flush(LONG);
        let written = out.written();
        let kept = written.lines().filter(|line| *line == "line").count();
        // The thread may have taken one out of the queue before it stood still.
        assert!((LONGEST_QUEUE..=LONGEST_QUEUE + 1).contains(&kept), "{kept}");
        let lost = 2 * LONGEST_QUEUE - kept;
        let told = format!("{lost} log lines were lost: the log could not be written");
        assert!(written.lines().any(|line| line == told), "{told}");
    }

    const LONG: Duration = Duration::from_secs(30);
}
