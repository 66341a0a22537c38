//! As much of PostgreSQL's protocol as shows a pooler before it: each client is given a server process
//! for its connection, or for a transaction only.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Starts it, and says how a client reaches it. It knows no tables.
pub(super) async fn pooler(takes_away: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://app@{}/app", listener.local_addr().unwrap());
    let first = Arc::new(AtomicI32::new(1));
    tokio::spawn(async move {
        for own in 100.. {
            let (stream, _) = listener.accept().await.unwrap();
            let first = Arc::clone(&first);
            // A client may go away in the middle.
            tokio::spawn(async move { drop(serve(stream, takes_away, own, &first).await) });
        }
    });
    url
}

async fn serve(
    mut stream: TcpStream,
    takes_away: bool,
    own: i32,
    first: &AtomicI32,
) -> std::io::Result<()> {
    loop {
        let length = stream.read_u32().await? as usize;
        let mut startup = vec![0; length - 4];
        stream.read_exact(&mut startup).await?;
        if startup[..4] != 80_877_103_u32.to_be_bytes() {
            break;
        }
        // No TLS.
        stream.write_all(b"N").await?;
    }
    let ready = message(b'Z', b"I");
    let mut statement = String::new();
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).await?;
    loop {
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await? as usize;
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await?;
        let answer = match (kind, &*body) {
            (b'Q', b"SELECT pg_backend_pid()\0") => {
                let process = if takes_away { first.load(Ordering::SeqCst) } else { own };
                row(process)
            }
            (b'Q', b"BEGIN\0") => {
                // Whoever comes next gets another one.
                let done = message(b'C', b"BEGIN\0");
                let answer = [done, ready.clone()].concat();
                stream.write_all(&answer).await?;
                stream.flush().await?;
                let question = stream.read_u8().await?;
                let length = stream.read_u32().await? as usize;
                stream.read_exact(&mut vec![0; length - 4]).await?;
                assert_eq!(question, b'Q');
                let answer = [row(first.fetch_add(1, Ordering::SeqCst)), ready.clone()].concat();
                stream.write_all(&answer).await?;
                continue;
            }
            (b'Q', _) => message(b'C', b"OK\0"),
            (b'P', sql) => {
                statement = String::from_utf8_lossy(sql).replace('\0', " ");
                continue;
            }
            // A client's way to see whether somebody is there.
            (b'S', _) if statement.is_empty() => Vec::new(),
            (b'S', _) => {
                let error = format!("SERROR\0C42P01\0Mno table for {statement}\0\0");
                statement.clear();
                message(b'E', error.as_bytes())
            }
            (b'X', _) => return Ok(()),
            _ => continue,
        };
        stream.write_all(&[answer, ready.clone()].concat()).await?;
    }
}

/// A row with one number.
fn row(number: i32) -> Vec<u8> {
    let text = number.to_string();
    let mut column = b"\0\x01pid\0\0\0\0\0\0\0".to_vec();
    column.extend([0, 0, 0, 23, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    let mut data = vec![0, 1, 0, 0, 0, u8::try_from(text.len()).unwrap()];
    data.extend(text.as_bytes());
    [message(b'T', &column), message(b'D', &data), message(b'C', b"SELECT 1\0")].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}
