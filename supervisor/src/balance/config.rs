//! What a HAProxy configuration wants held: its comments `# hold FD ADDRESS PORT`.
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::sys;

/// The lowest number that a held socket may have: below are this process's own files and HAProxy's first.
pub const FIRST_FD: i32 = 100;
/// One past the highest.
pub const END_FD: i32 = FIRST_FD + 4096;
const CONFIG_BYTES: u64 = 64 * 1024 * 1024;
const MARK: &str = "# hold ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub fd: i32,
    pub address: SocketAddr,
}

/// The file belongs to another user than this process's: a link is not followed, and of its text only the marked lines are looked at.
pub fn read(path: &Path) -> Result<Vec<Wanted>, String> {
    let failed = |error: std::io::Error| format!("{}: {}", path.display(), sys::reason(&error));
    let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(CONFIG_BYTES).read_to_string(&mut text).map_err(failed)?;
    parse(&text).map_err(|line| format!("{}: {line:?} is not \"# hold FD ADDRESS PORT\"", path.display()))
}

fn parse(text: &str) -> Result<Vec<Wanted>, &str> {
    text.lines().filter(|line| line.starts_with(MARK)).map(|line| parse_line(&line[MARK.len()..]).ok_or(line)).collect()
}

fn parse_line(line: &str) -> Option<Wanted> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [fd, address, port] = parts[..] else { return None };
    let fd: i32 = fd.parse().ok()?;
    let (address, port): (IpAddr, u16) = (address.parse().ok()?, port.parse().ok()?);
    ((FIRST_FD..END_FD).contains(&fd) && port > 0).then_some(Wanted { fd, address: SocketAddr::new(address, port) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_is_marked() {
        let text = "# hold 100 127.0.0.1 8080\nglobal\n    # hold 9 x\n# hold 101 172.31.0.7 80\n";
        let wanted = |fd, address: &str| Wanted { fd, address: address.parse().unwrap() };
        assert_eq!(parse(text), Ok(vec![wanted(100, "127.0.0.1:8080"), wanted(101, "172.31.0.7:80")]));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for line in [
            "# hold 100 127.0.0.1",
            "# hold 3 127.0.0.1 80",
            "# hold 5000 127.0.0.1 80",
            "# hold 100 localhost 80",
            "# hold 100 10.0.0.1 0",
        ] {
            assert_eq!(parse(line), Err(line));
        }
    }
}
