//! Counts what a client of HTTP/2 sends without asking for anything: PING,
//! SETTINGS, PRIORITY and the like. Each is legal and cheap, so that no other
//! limit sees a flood of them. What moves requests and answers pays for them.

use std::time::{Duration, Instant};

/// How a connection of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes before a frame's payload.
const HEAD: usize = 9;
/// What an idle frame costs, in bytes that were good for something.
const COST: i64 = 8;
/// In which time a purse fills by itself.
const FILLS_IN: Duration = Duration::from_secs(10);

mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

/// Too many frames that move nothing.
#[derive(Debug, thiserror::Error)]
#[error("too many frames that move nothing")]
pub(super) struct Flood;

/// Reads along on a connection.
#[derive(Debug)]
pub(super) struct Meter {
    state: State,
    head: [u8; HEAD],
    purse: i64,
    most: i64,
    filled: Instant,
    /// Bytes the server will write for nothing but to acknowledge.
    owed: usize,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum State {
    Preface(usize),
    Head(usize),
    Payload(usize),
    /// It is no HTTP/2.
    Other,
}

impl Meter {
    /// A meter that allows for so many idle frames at once.
    pub(super) fn new(frames: u32) -> Self {
        let most = i64::from(frames) * COST;
        Self {
            state: State::Preface(0),
            head: [0; HEAD],
            purse: most,
            most,
            filled: Instant::now(),
            owed: 0,
        }
    }

    /// Sees bytes of the client.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        while !bytes.is_empty() {
            match self.state {
                State::Other => return Ok(()),
                State::Preface(at) => {
                    let (own, rest) = bytes.split_at(bytes.len().min(PREFACE.len() - at));
                    let after = at + own.len();
                    self.state = match after {
                        _ if own != &PREFACE[at..after] => State::Other,
                        _ if after == PREFACE.len() => State::Head(0),
                        _ => State::Preface(after),
                    };
                    bytes = rest;
                }
                State::Head(at) => {
                    let (own, rest) = bytes.split_at(bytes.len().min(HEAD - at));
                    let after = at + own.len();
                    self.head[at..after].copy_from_slice(own);
                    self.state = match after == HEAD {
                        true => State::Payload(self.frame()?),
                        false => State::Head(after),
                    };
                    bytes = rest;
                }
                State::Payload(left) => {
                    let own = bytes.len().min(left);
                    self.state = match left - own {
                        0 => State::Head(0),
                        left => State::Payload(left),
                    };
                    bytes = &bytes[own..];
                }
            }
        }
        Ok(())
    }

    /// Sees how much the server wrote.
    pub(super) fn wrote(&mut self, bytes: usize) {
        let acknowledged = bytes.min(self.owed);
        self.owed -= acknowledged;
        self.earn(bytes - acknowledged);
    }

    /// Judges a frame by its head; answers how long its payload is.
    fn frame(&mut self) -> Result<usize, Flood> {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let asks = flags & 1 == 0;
        match kind {
            kind::DATA | kind::HEADERS | kind::CONTINUATION => self.earn(length),
            // Streams that are begun and given up are counted where they begin.
            kind::RST_STREAM => {}
            kind::WINDOW_UPDATE => self.spend(COST / 8)?,
            kind::SETTINGS | kind::PING => {
                self.spend(COST)?;
                let payload = if kind == kind::PING { length } else { 0 };
                self.owed += if asks { HEAD + payload } else { 0 };
            }
            _ => self.spend(COST)?,
        }
        Ok(length)
    }

    fn earn(&mut self, bytes: usize) {
        self.purse = self.most.min(self.purse.saturating_add(bytes as i64));
    }

    fn spend(&mut self, cost: i64) -> Result<(), Flood> {
        if self.purse < cost {
            let waited = self.filled.elapsed().min(FILLS_IN).as_millis() as i64;
            self.filled = Instant::now();
            self.purse += self.most * waited / FILLS_IN.as_millis() as i64;
        }
        self.purse -= cost;
        if self.purse < 0 { Err(Flood) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, 0];
        [head.as_slice(), payload].concat()
    }

    fn ping() -> Vec<u8> {
        frame(kind::PING, 0, &[0; 8])
    }

    #[test]
    fn a_flood_ends_however_its_bytes_are_cut() {
        for cut in [1, 5, 17, 1000] {
            let mut meter = Meter::new(10);
            let bytes = [PREFACE, &ping().repeat(10)].concat();
            assert!(bytes.chunks(cut).all(|part| meter.read(part).is_ok()));
            assert!(meter.read(&ping().repeat(5)).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_good_for_something_pays() {
        let mut meter = Meter::new(10);
        meter.read(PREFACE).unwrap();
        for _ in 0..100 {
            meter.read(&frame(kind::DATA, 0, &[1; 8])).unwrap();
            meter.read(&ping()).unwrap();
            // The answers to pings pay for nothing.
            meter.wrote(17);
        }
        for _ in 0..100 {
            meter.read(&ping()).unwrap();
            meter.wrote(17 + 30);
        }
        assert!(meter.read(&ping().repeat(20)).is_err());
    }

    #[test]
    fn other_protocols_are_none_of_its_business() {
        let mut meter = Meter::new(0);
        meter.read(b"PRI * HTTP/1.1\r\n").unwrap();
        assert!(meter.read(&ping().repeat(100)).is_ok());
    }
}
