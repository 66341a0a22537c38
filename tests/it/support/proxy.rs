//! A line to a database server that is cut or held up where a test says: it reads just enough of the protocols
//! of PostgreSQL and MySQL to tell one packet of the client's from the next.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::database::{Backend, Place};

/// Which packet the line is cut at, and how much of the exchange still gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) at: At,
    pub(crate) what: Through,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Commit,
    /// The packet of this number, counted from 1 when the cut is ordered.
    Packet(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    /// The server does not see the packet.
    Nothing,
    /// The server sees its beginning.
    Half,
    /// The server sees it and answers; the client does not see the answer.
    Request,
    /// The server sees it and answers, and nothing is cut: the client sees the answer when it is
    /// [released](Proxy::release).
    AnswerHeld,
}

/// Closes, for good, when it is dropped.
pub(crate) struct Proxy {
    /// The same database, at the proxy's end of the line.
    pub(crate) place: Place,
    order: Arc<Mutex<Order>>,
    holding: Arc<watch::Sender<bool>>,
    server: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Order {
    cut: Option<Cut>,
    packets: u32,
}

impl Proxy {
    pub(crate) async fn start(place: &Place) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (url, server) = redirect(place, port);
        let order = Arc::new(Mutex::new(Order::default()));
        let holding = Arc::new(watch::Sender::new(false));
        let server = Arc::new(Mutex::new(server));
        let (backend, orders, hold) = (place.backend, Arc::clone(&order), Arc::clone(&holding));
        let leads_to = Arc::clone(&server);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = leads_to.lock().unwrap().clone();
                let (order, hold) = (Arc::clone(&orders), Arc::clone(&hold));
                tokio::spawn(async move {
                    let server = TcpStream::connect(server).await?;
                    forward(backend, client, server, &order, &hold).await
                });
            }
        });
        Self { place: Place { backend, url }, order, holding, server, task }
    }

    /// Leads whoever comes from now on to another server; lines that are there stay as they are.
    pub(crate) fn lead_to(&self, place: &Place) {
        *self.server.lock().unwrap() = redirect(place, 0).1;
    }

    /// Orders one cut, and forgets the order before it.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.order.lock().unwrap() = Order { cut: Some(cut), packets: 0 };
    }

    /// Waits until an answer is held.
    pub(crate) async fn holds(&self) {
        let mut holding = self.holding.subscribe();
        assert!(*holding.wait_for(|holding| *holding).await.unwrap());
    }

    /// Lets what is held go on, and everything after it.
    pub(crate) fn release(&self) {
        self.holding.send_replace(false);
    }

    /// Whether the cut was made; takes the order back if it was not.
    pub(crate) fn was_cut(&self) -> bool {
        mem::take(&mut *self.order.lock().unwrap()).cut.is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The URL with the proxy's port, without TLS, which would hide the packets; and the server's address.
fn redirect(place: &Place, port: u16) -> (String, String) {
    let (scheme, rest) = place.url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(u, h)| (Some(u), h));
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let (no_tls, default) = match place.backend {
        Backend::MySql => ("ssl-mode=DISABLED", ":3306"),
        _ => ("sslmode=disable", ":5432"),
    };
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let server = if host.contains(':') { host.to_owned() } else { format!("{host}{default}") };
    (format!("{scheme}://{user}127.0.0.1:{port}/{path}?{no_tls}"), server)
}

/// Until one end closes or the line is cut: then both ends are closed.
async fn forward(
    backend: Backend,
    client: TcpStream,
    server: TcpStream,
    order: &Mutex<Order>,
    hold: &watch::Sender<bool>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let deaf = Notify::new();
    tokio::select! {
        done = requests(backend, from_client, to_server, order, &deaf, hold) => done,
        done = answers(from_server, to_client, &deaf, hold.subscribe()) => done,
    }
}

async fn requests(
    backend: Backend,
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    order: &Mutex<Order>,
    deaf: &Notify,
    hold: &watch::Sender<bool>,
) -> io::Result<()> {
    let mut first = true;
    loop {
        let packet = read_packet(backend, mem::take(&mut first), &mut client).await?;
        let cut = {
            let mut order = order.lock().unwrap();
            let cut = judge(backend, &packet, &mut order);
            if cut == Some(Through::AnswerHeld) {
                // Before anybody can take the order back.
                hold.send_replace(true);
            }
            cut
        };
        match cut {
            None | Some(Through::AnswerHeld) => {}
            Some(Through::Nothing) => return Ok(()),
            Some(Through::Half) => {
                return server.write_all(&packet[..packet.len() / 2]).await;
            }
            Some(Through::Request) => deaf.notify_one(),
        }
        server.write_all(&packet).await?;
    }
}

/// Once the client is to hear nothing any more, the server's next words are the line's end.
async fn answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    deaf: &Notify,
    mut hold: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut is_deaf = false;
    loop {
        let read = tokio::select! {
            biased;
            () = deaf.notified(), if !is_deaf => {
                is_deaf = true;
                continue;
            }
            read = server.read(&mut buffer) => read?,
        };
        if read == 0 || is_deaf {
            return Ok(());
        }
        // Without an error: whoever holds it is there as long as the line.
        drop(hold.wait_for(|holding| !*holding).await);
        client.write_all(&buffer[..read]).await?;
    }
}

/// Whether the line is to be cut at this packet.
fn judge(backend: Backend, packet: &[u8], order: &mut Order) -> Option<Through> {
    order.packets += 1;
    let cut = order.cut?;
    let now = match cut.at {
        At::Commit => is_commit(backend, packet),
        At::Packet(number) => order.packets == number,
    };
    if now {
        order.cut = None;
    }
    now.then_some(cut.what)
}

/// One packet of the client's, whole, with its head.
async fn read_packet(
    backend: Backend,
    first: bool,
    client: &mut OwnedReadHalf,
) -> io::Result<Vec<u8>> {
    let head = match backend {
        // The one with which a PostgreSQL session begins has no letter in front of its length.
        Backend::Postgres if !first => 5,
        _ => 4,
    };
    let mut packet = vec![0; head];
    client.read_exact(&mut packet).await?;
    let rest = match backend {
        Backend::MySql => u32::from_le_bytes([packet[0], packet[1], packet[2], 0]),
        // This length counts itself.
        _ => u32::from_be_bytes(packet[head - 4..].try_into().unwrap()) - 4,
    };
    packet.resize(head + usize::try_from(rest).unwrap(), 0);
    client.read_exact(&mut packet[head..]).await?;
    Ok(packet)
}

fn is_commit(backend: Backend, packet: &[u8]) -> bool {
    match backend {
        // Length and number, then the command `query`.
        Backend::MySql => packet.get(4..) == Some(b"\x03COMMIT"),
        _ => packet.first() == Some(&b'Q') && packet.get(5..) == Some(b"COMMIT\0"),
    }
}
