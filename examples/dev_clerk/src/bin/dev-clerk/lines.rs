//! The output of log lines, which never stops the stand-in, even when they cannot be written.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// A writer that never fails and never waits. Clones share it.
///
/// A separate thread writes the lines. Lines that cannot be written (a full disk, a pipe whose
/// reader is gone) or not fast enough (a reader that stalls) are lost.
#[derive(Clone)]
pub(crate) struct Lines(SyncSender<Message>);

enum Message {
    Line(Vec<u8>),
    /// A request to be told when everything before it is written or lost.
    Written(SyncSender<()>),
}

impl Lines {
    /// Starts the thread that writes lines to `out`.
    ///
    /// # Errors
    ///
    /// Fails when the system starts no more threads.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = mpsc::sync_channel(LONGEST_QUEUE);
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || write_all(out, &messages))?;
        Ok(Self(queue))
    }

    /// Queues a text, which includes its line end.
    pub(crate) fn push(&self, text: impl Into<Vec<u8>>) {
        // When the queue is full, the text is lost.
        let _ = self.0.try_send(Message::Line(text.into()));
    }

    /// Waits until the queued lines are written, but no longer than `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        let (done, written) = mpsc::sync_channel(1);
        if self.0.try_send(Message::Written(done)).is_ok() {
            // An error means that the time is over.
            let _ = written.recv_timeout(patience);
        }
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

fn write_all(mut out: impl Write, messages: &Receiver<Message>) {
    for message in messages {
        match message {
            Message::Line(line) => {
                let _ = out.write_all(&line);
            }
            // The caller may have stopped waiting.
            Message::Written(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// The longest queue, in lines. With lines of some hundred bytes it is a few hundred kilobytes.
const LONGEST_QUEUE: usize = 1024;
