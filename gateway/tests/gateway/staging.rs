//! A staging that does as it is told: it reads the head of a request and answers with given bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How it answers.
#[derive(Debug, Clone)]
pub(crate) enum Play {
    /// With these bytes, and closes the connection.
    Bytes(Vec<u8>),
    /// Never.
    Silence,
    /// A head, and then bytes without end.
    Endless,
    /// A head that announces more than comes.
    Reset,
}

/// What it saw and answers.
pub(crate) struct Staging {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    play: Arc<Mutex<Play>>,
    sent: Arc<AtomicUsize>,
    running: tokio::task::JoinHandle<()>,
}

impl Staging {
    pub(crate) async fn start(play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, play) = (Arc::default(), Arc::new(Mutex::new(play)));
        let sent = Arc::new(AtomicUsize::new(0));
        let run = run(listener, Arc::clone(&seen), Arc::clone(&play), Arc::clone(&sent));
        #[expect(clippy::disallowed_methods, reason = "a played process stops by being dropped")]
        let running = tokio::spawn(run);
        Self { address, seen, play, sent, running }
    }

    /// The heads of the requests that it got.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }

    /// From here on it answers so.
    pub(crate) fn play(&self, play: Play) {
        *self.play.lock() = play;
    }

    /// How many bytes of bodies without end it got rid of.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn run(
    listener: TcpListener,
    seen: Arc<Mutex<Vec<String>>>,
    play: Arc<Mutex<Play>>,
    sent: Arc<AtomicUsize>,
) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (seen, play, sent) = (Arc::clone(&seen), Arc::clone(&play), Arc::clone(&sent));
        connections.spawn(async move {
            // A client that goes away is part of the play.
            answer(stream, &seen, &play, &sent).await.ok();
        });
    }
}

async fn answer(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    play: &Mutex<Play>,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    seen.lock().push(String::from_utf8_lossy(&head).into_owned());
    let play = play.lock().clone();
    match play {
        Play::Bytes(bytes) => stream.write_all(&bytes).await,
        Play::Silence => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(())
        }
        Play::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(&[b'x'; 16 * 1024]).await?;
                sent.fetch_add(16 * 1024, SeqCst);
            }
        }
        Play::Reset => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf";
            stream.write_all(head).await
        }
    }
}
