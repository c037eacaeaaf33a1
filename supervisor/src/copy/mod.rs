//! Files into and out of a container, for `berth cp`. It runs as a command inside the container does (exec): in the container's namespaces and root, with its
//! rights, so that a symbolic link there leads nowhere but where it leads the container's own programs; and it is this program, so that the image needs no tar.
mod pack;
mod place;

use std::fs::Metadata;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::json;

/// What a copier is asked, as words.
#[derive(Debug, PartialEq, Eq)]
enum Wish<'a> {
    /// Says what is there, as JSON.
    Stat { path: &'a str },
    /// Writes `path` as a tar to standard output; its first name there is `name`.
    Out { path: &'a str, name: &'a str, follow: bool },
    /// Takes a tar from standard input into the directory `dir`. Where `name` is not empty it takes the place of each path's first part.
    In { dir: &'a str, name: &'a str, owners: bool },
}

fn wish(words: &[String]) -> Option<Wish<'_>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["stat", path] => Some(Wish::Stat { path }),
        ["out", path, name, ref more @ ..] if matches!(more, [] | ["follow"]) => Some(Wish::Out { path, name, follow: !more.is_empty() }),
        ["in", dir, name, ref more @ ..] if matches!(more, [] | ["owners"]) => Some(Wish::In { dir, name, owners: !more.is_empty() }),
        _ => None,
    }
}

/// Gives the exit code; why it failed stands on standard error.
pub fn run(words: &[String]) -> i32 {
    let done = match wish(words) {
        None => Err(format!("this berth knows no such copy: {words:?}")),
        Some(Wish::Stat { path }) => stat(path),
        Some(Wish::Out { path, name, follow }) => pack::pack(Path::new(path), name, follow, io::stdout().lock()),
        Some(Wish::In { dir, name, owners }) => place::place(Path::new(dir), name, owners),
    };
    match done {
        Ok(()) => 0,
        Err(why) => {
            let _ = writeln!(io::stderr(), "{why}");
            1
        }
    }
}

fn stat(path: &str) -> Result<(), String> {
    let kind = |data: Metadata| if data.is_dir() { "directory" } else { "other" };
    let found = |result: io::Result<Metadata>| match result {
        Ok(data) => Ok(kind(data)),
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok("missing"),
        Err(e) => Err(failed("look at", Path::new(path), &e)),
    };
    let (itself, target) = (found(std::fs::symlink_metadata(path))?, found(std::fs::metadata(path))?);
    println!("{}", json!({ "itself": itself, "target": target }));
    Ok(())
}

fn failed(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {}", String::from_utf8_lossy(path.as_os_str().as_bytes()), crate::sys::reason(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_or_refused() {
        let read = |line: &str| wish(&line.split(' ').map(str::to_string).collect::<Vec<_>>()).is_some();
        for good in ["stat /a", "out /a b", "out /a b follow", "in /a b", "in /a b owners"] {
            assert!(read(good), "{good}");
        }
        for bad in ["", "stat", "out /a", "in /a b follow", "sh -c id"] {
            assert!(!read(bad), "{bad}");
        }
    }
}
