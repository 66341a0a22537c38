//! The output of log lines, which never stops the server, even when the lines cannot be written.
//!
//! Needed by fault C14.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tower_clerk::clock::{Clock as _, SystemClock};
use tracing_subscriber::fmt::MakeWriter;

/// A writer for log lines that never fails and never waits. Clones share it.
///
/// A separate thread writes the lines. Lines that cannot be written (a full disk, a pipe whose
/// reader is gone) or not fast enough (a reader that stalls) are lost; one line in their place
/// states how many.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
}

/// The state that the writers share with the thread.
#[derive(Debug, Default)]
struct Shared {
    /// Lines that were lost since the process started.
    lost: AtomicU64,
    /// Lines that the queue has refused since it last accepted one.
    left_out: AtomicU64,
    /// Bytes in the queue.
    waiting: AtomicUsize,
    as_json: AtomicBool,
}

enum Message {
    Line(Vec<u8>),
    /// The number of lines that are missing at this place.
    LeftOut(u64),
    /// A request to be told when everything before it is written or lost.
    Written(SyncSender<()>),
}

impl Lines {
    /// Starts the thread that writes lines to `out`. The thread ends with the last clone.
    ///
    /// # Errors
    ///
    /// Fails when the system starts no more threads.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = mpsc::sync_channel(LONGEST_QUEUE);
        let shared = Arc::<Shared>::default();
        let writer = Writer { out, shared: Arc::clone(&shared), untold: 0, is_torn: false };
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || writer.run(&messages))?;
        Ok(Self { queue, shared })
    }

    /// Switches the lines that `Lines` itself writes to JSON objects, as all other lines then are.
    pub fn speak_json(&self) {
        self.shared.as_json.store(true, Ordering::Relaxed);
    }

    /// Queues a text, which includes its line end.
    pub fn push(&self, text: impl Into<Vec<u8>>) {
        let text = self.harmless(text.into());
        let length = text.len();
        let waiting = self.shared.waiting.fetch_add(length, Ordering::Relaxed);
        if waiting > MOST_BYTES || !self.tell_of_left_out() || !self.send(Message::Line(text)) {
            self.shared.waiting.fetch_sub(length, Ordering::Relaxed);
            self.shared.left_out.fetch_add(1, Ordering::Relaxed);
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the text without characters that move text around on a screen or that end a line for
    /// some programs: they are written as escapes.
    fn harmless(&self, bytes: Vec<u8>) -> Vec<u8> {
        // Nearly all lines are ASCII.
        if bytes.is_ascii() {
            return bytes;
        }
        let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
        if !text.contains(is_treacherous) {
            return bytes;
        }
        let as_json = self.shared.as_json.load(Ordering::Relaxed);
        let mut harmless = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            match u32::from(c) {
                code if is_treacherous(c) && as_json => {
                    harmless.push_str(&format!("\\u{code:04x}"));
                }
                code if is_treacherous(c) => harmless.push_str(&format!("\\u{{{code:x}}}")),
                _ => harmless.push(c),
            }
        }
        harmless.into_bytes()
    }

    /// Queues the number of lines that are missing here; returns whether the queue had room.
    fn tell_of_left_out(&self) -> bool {
        let count = self.shared.left_out.swap(0, Ordering::Relaxed);
        if count > 0 && !self.send(Message::LeftOut(count)) {
            self.shared.left_out.fetch_add(count, Ordering::Relaxed);
            return false;
        }
        true
    }

    fn send(&self, message: Message) -> bool {
        self.queue.try_send(message).is_ok()
    }

    /// Returns how many lines have been lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Waits until the queued lines are written, but no longer than `patience`.
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
        // An error means that the thread has ended, or that the time is over.
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

/// The state of the thread.
struct Writer<W> {
    out: W,
    shared: Arc<Shared>,
    /// Lines that are missing before the next one and not yet reported.
    untold: u64,
    /// Whether the last line may have been written in part.
    is_torn: bool,
}

impl<W: Write> Writer<W> {
    /// Writes messages until the last sender is gone.
    fn run(mut self, messages: &Receiver<Message>) {
        for message in messages {
            match message {
                Message::Line(line) => {
                    if !(self.tell_of_untold() && self.write(&line)) {
                        self.untold += 1;
                        self.shared.lost.fetch_add(1, Ordering::Relaxed);
                    }
                    self.shared.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                }
                // These lines are counted as lost already.
                Message::LeftOut(count) => {
                    self.untold += count;
                    self.tell_of_untold();
                }
                Message::Written(done) => {
                    self.untold += self.shared.left_out.swap(0, Ordering::Relaxed);
                    self.tell_of_untold();
                    let _ = self.out.flush();
                    // The caller may have stopped waiting.
                    let _ = done.send(());
                }
            }
        }
    }

    /// Reports the missing lines; returns whether none is left to report.
    fn tell_of_untold(&mut self) -> bool {
        if self.untold > 0 {
            let notice = self.notice();
            if self.write(notice.as_bytes()) {
                self.untold = 0;
            }
        }
        self.untold == 0
    }

    fn notice(&self) -> String {
        let text = format!("{} log lines were lost: the log could not be written", self.untold);
        if !self.shared.as_json.load(Ordering::Relaxed) {
            return format!("{text}\n");
        }
        let now = DateTime::<Utc>::from(SystemClock::new().now());
        let now = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!(
            "{{\"timestamp\":\"{now}\",\"level\":\"WARN\",\"fields\":{{\"message\":\"{text}\"}},\
             \"target\":\"serving::lines\"}}\n"
        )
    }

    /// Writes a whole line, after a line break if the last one was cut; returns whether it could.
    fn write(&mut self, line: &[u8]) -> bool {
        let written = match self.is_torn {
            true => self.out.write_all(&[b"\n", line].concat()),
            false => self.out.write_all(line),
        };
        self.is_torn = written.is_err();
        !self.is_torn
    }
}

/// Returns whether a character changes the direction of text, or is a line end beside CR and LF.
fn is_treacherous(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

/// The longest queue in lines, and in bytes below: together some megabytes.
const LONGEST_QUEUE: usize = 8192;
const MOST_BYTES: usize = 4 * 1024 * 1024;
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
        /// How many more bytes can be written.
        room: Option<usize>,
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
            let taken = bytes.len().min(state.room.unwrap_or(usize::MAX));
            if taken == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.room = state.room.map(|room| room - taken);
            state.written.push_str(std::str::from_utf8(&bytes[..taken]).unwrap());
            Ok(taken)
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
        // A line that failed may have left a part of it.
        assert_eq!(out.written(), format!("first\n\n{told}fourth\n"));
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
        // The thread may have taken one line out of the queue before it stalled.
        assert!((LONGEST_QUEUE..=LONGEST_QUEUE + 1).contains(&kept), "{kept}");
        let lost = 2 * LONGEST_QUEUE - kept;
        let notices = written.lines().filter_map(|line| line.split_once(" log lines were lost"));
        let told: usize = notices.map(|(count, _)| count.parse::<usize>().unwrap()).sum();
        assert_eq!(told, lost);
        assert_eq!(lines.lost(), u64::try_from(lost).unwrap());
    }

    #[test]
    fn fault_c14_what_was_lost_is_told_where_it_is_missing_and_as_json_where_all_is() {
        let out = Out::default();
        let lines = Lines::start(out.clone()).unwrap();
        lines.speak_json();
        out.set(|state| state.is_stalled = true);
        let long = "x".repeat(MOST_BYTES) + "\n";
        lines.push("{}\n");
        lines.push(long.clone());
        // The queue has no room for these two.
        lines.push("lost\n");
        lines.push("lost\n");
        out.set(|state| state.is_stalled = false);
        lines.flush(LONG);
        lines.push("{\"n\":3}\n");
        lines.flush(LONG);
        let written = out.written();
        let [first, second, notice, last] = written.lines().collect::<Vec<_>>()[..] else {
            panic!("{} lines", written.lines().count())
        };
        assert_eq!((first, second, last), ("{}", long.trim_end(), "{\"n\":3}"));
        assert!(notice.starts_with("{\"timestamp\":\"") && notice.ends_with('}'), "{notice}");
        assert!(notice.contains("\"message\":\"2 log lines were lost"), "{notice}");
    }

    #[test]
    fn fault_c14_a_line_that_was_written_in_part_is_followed_by_a_line_end() {
        let out = Out::default();
        let lines = Lines::start(out.clone()).unwrap();
        out.set(|state| state.room = Some(3));
        lines.push("torn\n");
        lines.push("lost\n");
        lines.flush(LONG);
        out.set(|state| state.room = None);
        lines.push("whole\n");
        lines.flush(LONG);
        let told = "2 log lines were lost: the log could not be written";
        assert_eq!(out.written(), format!("tor\n{told}\nwhole\n"));
    }

    #[test]
    fn fault_c22_nothing_in_a_line_moves_text_around_or_ends_it() {
        let text = "a\u{202e}b\u{2066}c\u{2028}d\u{2029}e\u{85}f\u{61c}é\u{1f600}\n";
        for (as_json, written) in [
            (false, "a\\u{202e}b\\u{2066}c\\u{2028}d\\u{2029}e\\u{85}f\\u{61c}é\u{1f600}\n"),
            (true, "a\\u202eb\\u2066c\\u2028d\\u2029e\\u0085f\\u061cé\u{1f600}\n"),
        ] {
            let out = Out::default();
            let lines = Lines::start(out.clone()).unwrap();
            if as_json {
                lines.speak_json();
            }
            lines.push(text);
            lines.flush(LONG);
            assert_eq!(out.written(), written);
        }
    }

    const LONG: Duration = Duration::from_secs(30);
}
