//! What a transport puts around frames: nothing on TCP, WebSocket messages, or HTTP requests that are held. As little of
//! both protocols as measuring needs, because it is the server that is measured; real clients are in `web/sdk`.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

/// How clients come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// TCP, encrypted by Noise
    #[default]
    Tcp,
    /// WebSocket, as from a proxy of this machine: without TLS
    Websocket,
    /// Held polls, the same way; what a client says waits until its poll is answered. `latency` lets receivers poll
    Polls,
    /// A poll every 500 ms that is answered at once, which is what held polls replace
    Often,
}

impl By {
    /// KiB of the server's memory that an idle connection may cost.
    pub fn idle_kib_max(self) -> f64 {
        match self {
            Self::Tcp => 6.0,
            Self::Websocket => 10.0,
            Self::Polls | Self::Often => 12.0,
        }
    }

    /// HTTP requests, one after the other.
    pub fn polls(self) -> bool {
        matches!(self, Self::Polls | Self::Often)
    }
}

/// One connection's.
pub enum Coat {
    Bare,
    Socket(Socket),
    Polls(Polls),
}

#[derive(Default)]
pub struct Socket {
    open: bool,
    /// Received, and not whole yet.
    rest: Vec<u8>,
}

#[derive(Default)]
pub struct Polls {
    polls: u64,
    /// The next poll waits for [`Coat::beat`], once something has been answered.
    paced: bool,
    answered: bool,
    token: Option<String>,
    held: bool,
    unsent: Vec<u8>,
    rest: Vec<u8>,
}

impl Coat {
    pub fn new(by: By) -> Self {
        match by {
            By::Tcp => Self::Bare,
            By::Websocket => Self::Socket(Socket::default()),
            By::Polls | By::Often => Self::Polls(Polls { paced: by == By::Often, ..Polls::default() }),
        }
    }

    /// It is time for another poll.
    pub fn beat(&mut self, out: &mut Vec<u8>) {
        if let Self::Polls(polls) = self
            && polls.token.is_some()
            && !polls.held
        {
            polls.poll(out);
        }
    }

    /// HTTP requests so far.
    pub fn requests(&self) -> u64 {
        if let Self::Polls(polls) = self { polls.polls } else { 0 }
    }

    /// The socket stands: what to write first. True if the machine may begin.
    pub fn connected(&mut self, out: &mut Vec<u8>) -> bool {
        if let Self::Socket(_) = self {
            out.extend_from_slice(
                b"GET /v1/socket HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                  sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                  sec-websocket-protocol: hongyan.v1\r\n\r\n",
            );
            return false;
        }
        true
    }

    /// Takes the coat off what has arrived. True if the machine may begin now.
    pub fn off(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<bool> {
        match self {
            Self::Bare => plain.extend_from_slice(bytes),
            Self::Socket(socket) => return socket.off(bytes, plain),
            Self::Polls(polls) => polls.off(bytes, plain)?,
        }
        Ok(false)
    }

    /// Puts it on what a machine says, which may be nothing.
    pub fn on(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Bare => out.extend_from_slice(plain),
            Self::Socket(_) if plain.is_empty() => {}
            Self::Socket(_) => {
                out.push(0x82);
                // Masked by zeros, which change nothing.
                match plain.len() {
                    length @ ..126 => out.push(0x80 | length as u8),
                    length => {
                        out.push(0x80 | 127);
                        out.extend_from_slice(&(length as u64).to_be_bytes());
                    }
                }
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(plain);
            }
            Self::Polls(polls) => polls.on(plain, out),
        }
    }
}

/// The end of an HTTP head.
fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

impl Socket {
    fn off(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<bool> {
        self.rest.extend_from_slice(bytes);
        let mut opened = false;
        let mut at = 0;
        if !self.open {
            let Some(end) = head_end(&self.rest) else { return Ok(false) };
            ensure!(self.rest.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&self.rest[..end]));
            (self.open, opened, at) = (true, true, end);
        }
        while let Some((start, end)) = message(&self.rest[at..]) {
            ensure!(self.rest[at] == 0x82, "a message that is not binary and whole");
            plain.extend_from_slice(&self.rest[at + start..at + end]);
            at += end;
        }
        self.rest.drain(..at);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        Ok(opened)
    }
}

/// Where the body of the first message lies, if it is whole.
fn message(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= start + length).then_some((start, start + length))
}

impl Polls {
    fn off(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<()> {
        self.rest.extend_from_slice(bytes);
        let Some(end) = head_end(&self.rest) else { return Ok(()) };
        let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        ensure!(head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.1 204 "), "{head}");
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length: usize = value("content-length:").unwrap_or("0").parse().context("its length is a number")?;
        if self.rest.len() < end + length {
            return Ok(());
        }
        if let Some(token) = value("hongyan-connection:") {
            self.token = Some(token.to_owned());
        }
        plain.extend_from_slice(&self.rest[end..end + length]);
        self.answered |= length > 0;
        self.rest = Vec::new();
        self.held = false;
        Ok(())
    }

    fn on(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.unsent.extend_from_slice(plain);
        let waits = if self.token.is_some() { self.paced && self.answered } else { self.unsent.is_empty() };
        if !self.held && !waits {
            self.poll(out);
        }
    }

    fn poll(&mut self, out: &mut Vec<u8>) {
        self.polls += 1;
        self.held = true;
        let bearer = self.token.as_ref().map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let (number, length) = (self.polls, self.unsent.len());
        let head = format!(
            "POST /v1/poll HTTP/1.1\r\nhost: bench\r\nhongyan-poll: {number}\r\n{bearer}content-length: {length}\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        out.append(&mut self.unsent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(coat: &mut Coat, bytes: &[u8]) -> (bool, Vec<u8>) {
        let mut plain = Vec::new();
        let opened = coat.off(bytes, &mut plain).unwrap();
        (opened, plain)
    }

    #[test]
    fn messages_of_a_socket_may_be_cut_anywhere() {
        let mut bytes = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        bytes.extend_from_slice(b"\x82\x01a\x82\x7e\x00\x7e");
        bytes.extend_from_slice(&[b'b'; 126]);
        let mut coat = Coat::new(By::Websocket);
        assert!(!coat.connected(&mut Vec::new()));
        let (mut opened, mut plain) = (0, Vec::new());
        for byte in bytes {
            let (now, more) = off(&mut coat, &[byte]);
            opened += u32::from(now);
            plain.extend(more);
        }
        assert_eq!((opened, plain.len(), plain[0]), (1, 127, b'a'));
        let mut out = Vec::new();
        coat.on(b"", &mut out);
        coat.on(b"x", &mut out);
        assert_eq!(out, b"\x82\x81\0\0\0\0x");
    }

    #[test]
    fn what_is_said_while_a_poll_is_held_goes_with_the_next() {
        let mut coat = Coat::new(By::Polls);
        let mut out = Vec::new();
        assert!(coat.connected(&mut out) && out.is_empty());
        coat.on(b"login", &mut out);
        assert!(out.starts_with(b"POST /v1/poll") && out.ends_with(b"content-length: 5\r\n\r\nlogin"));
        out.clear();
        coat.on(b"later", &mut out);
        assert!(out.is_empty());
        let answer = b"HTTP/1.1 200 OK\r\nhongyan-connection: abc\r\ncontent-length: 2\r\n\r\nok";
        let (first, second) = answer.split_at(30);
        assert_eq!(off(&mut coat, first).1, b"");
        assert_eq!(off(&mut coat, second).1, b"ok");
        coat.on(b"", &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("hongyan-poll: 2\r\nauthorization: Bearer abc\r\n") && text.ends_with("\r\n\r\nlater"));
    }
}
