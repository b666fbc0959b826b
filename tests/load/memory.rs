//! What processes hold in memory while something goes on.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::http::Connection;
use harness::process::resident_bytes;
use rustix::net::{AddressFamily, SocketType, sockopt};

/// Runs `work` and returns its result with the most memory that each process held meanwhile.
pub(crate) fn peaks_during<T>(processes: &[u32], work: impl FnOnce() -> T) -> (T, Vec<u64>) {
    let done = AtomicBool::new(false);
    let peaks: Vec<AtomicU64> = processes.iter().map(|_| AtomicU64::new(0)).collect();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (process, peak) in processes.iter().zip(&peaks) {
                    peak.fetch_max(resident_bytes(*process), Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    });
    (result, peaks.into_iter().map(AtomicU64::into_inner).collect())
}

/// Starts a download with a receive buffer of 4 KiB and stops reading after the head.
///
/// # Errors
/// The connection, or an answer that is not 200.
pub(crate) fn stalled_reader(address: SocketAddr, target: &str) -> Result<Connection> {
    let socket: OwnedFd = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, 4096)?;
    rustix::net::connect(&socket, &address)?;
    let mut connection = Connection::over(TcpStream::from(socket), address)?;
    connection.send("GET", target, &[])?;
    let head = connection.head()?;
    ensure!(head.status == 200, "a stalled reader got {}", head.status);
    Ok(connection)
}
