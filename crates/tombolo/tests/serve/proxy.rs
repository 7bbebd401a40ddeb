//! What stands between a door and an owner: it forwards, until it cuts.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Forwards connections to an address, and cuts each after a number of bytes of either way.
pub(crate) struct Proxy {
    address: SocketAddr,
    cuts: Arc<AtomicU64>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// `bytes` tells of the n-th connection how many pass.
    pub(crate) fn new(to: SocketAddr, bytes: fn(u64) -> u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = listener.local_addr().expect("told");
        let cuts = Arc::new(AtomicU64::new(0));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (counted, kept) = (Arc::clone(&cuts), Arc::clone(&heard));
        // It ends with the test.
        std::thread::spawn(move || {
            for (number, incoming) in listener.incoming().enumerate() {
                let Ok(door) = incoming else { return };
                let Ok(owner) = TcpStream::connect(to) else { continue };
                let left = Arc::new(AtomicU64::new(bytes(number as u64)));
                for (from, into) in [(&door, &owner), (&owner, &door)] {
                    let (from, into) = (from.try_clone(), into.try_clone());
                    let (Ok(from), Ok(into)) = (from, into) else { continue };
                    let (left, counted) = (Arc::clone(&left), Arc::clone(&counted));
                    let kept = Arc::clone(&kept);
                    std::thread::spawn(move || forward(from, into, &left, &counted, &kept));
                }
            }
        });
        Proxy { address, cuts, heard }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often it has cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }

    /// All that went by, either way.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("no panic").clone()
    }
}

fn forward(
    mut from: TcpStream,
    mut into: TcpStream,
    left: &AtomicU64,
    cuts: &AtomicU64,
    heard: &Mutex<Vec<u8>>,
) {
    let mut buffer = [0; 4096];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        let passed = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            Some(left.saturating_sub(count as u64))
        });
        let pass = passed.unwrap_or(0).min(count as u64) as usize;
        heard.lock().expect("no panic").extend_from_slice(&buffer[..pass]);
        if into.write_all(&buffer[..pass]).is_err() {
            break;
        }
        if pass < count {
            cuts.fetch_add(1, Ordering::SeqCst);
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = into.shutdown(Shutdown::Both);
}
