//! Who a container's command runs as: names are looked up in the container's own /etc/passwd and /etc/group, as Docker does it.
use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use super::Error;
use crate::mount::open_in_root;

/// Files over this are not read: they are foreign.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
const LARGEST_ID: u32 = i32::MAX as u32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// The home directory, where /etc/passwd tells it.
    pub home: Option<String>,
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn passwd(text: &str) -> impl Iterator<Item = PasswdEntry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(PasswdEntry { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    })
}

fn groups(text: &str) -> impl Iterator<Item = GroupEntry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some(GroupEntry { name, gid, members: fields.next().unwrap_or_default() })
    })
}

fn id(text: &str) -> Result<Option<u32>, Error> {
    match text.parse::<u32>() {
        Ok(n) if n <= LARGEST_ID => Ok(Some(n)),
        Err(_) if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) => Ok(None),
        _ => Err(Error::Start(format!("uids and gids must be in range 0-{LARGEST_ID}: {text}"))),
    }
}

/// Resolves `user`, `uid`, `user:group`, `uid:gid`, ... A numeric id need not be in the files.
pub fn resolve(wanted: &str, passwd_text: &str, group_text: &str) -> Result<Identity, Error> {
    let (user, group) = wanted.split_once(':').map_or((wanted, ""), |(u, g)| (u, g));
    let user = if user.is_empty() { "0" } else { user };
    let uid = id(user)?;
    let entry = passwd(passwd_text).find(|e| e.name == user || uid == Some(e.uid));
    let mut found = match (&entry, uid) {
        (Some(e), _) => {
            let home = (!e.home.is_empty()).then(|| e.home.to_string());
            Identity { uid: e.uid, gid: e.gid, groups: Vec::new(), home }
        }
        (None, Some(uid)) => Identity { uid, gid: 0, groups: Vec::new(), home: None },
        (None, None) => return Err(Error::Start(format!("unable to find user {user}: no matching entries in passwd file"))),
    };
    if group.is_empty() {
        let name = entry.as_ref().map_or(user, |e| e.name);
        let mine = |g: &GroupEntry| g.members.split(',').any(|m| m == name);
        found.groups = groups(group_text).filter(mine).map(|g| g.gid).collect();
        return Ok(found);
    }
    let gid = id(group)?;
    found.gid = match groups(group_text).find(|g| g.name == group || gid == Some(g.gid)) {
        Some(g) => g.gid,
        None => gid.ok_or_else(|| Error::Start(format!("unable to find group {group}: no matching entries in group file")))?,
    };
    Ok(found)
}

/// The same from the files below `root`; missing files count as empty.
pub fn resolve_in(root: BorrowedFd, wanted: &str) -> Result<Identity, Error> {
    resolve(wanted, &read(root, "etc/passwd"), &read(root, "etc/group"))
}

fn read(root: BorrowedFd, path: &str) -> String {
    // Not blocking: a FIFO in the image must not hold the start up.
    let Ok(fd) = open_in_root(root, Path::new(path), libc::O_RDONLY | libc::O_NONBLOCK, 0) else { return String::new() };
    let file = File::from(fd);
    let mut bytes = Vec::new();
    if file.metadata().is_ok_and(|m| m.is_file()) {
        // What can't be read counts as not there; the look-up then says so.
        let _ = file.take(FILE_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\n# odd line\nbroken\nweb:x:33:34:Web:/var/www:/bin/false\nnohome:x:40:40::\n1000:x:7:7::/seven:\n";
    const GROUP: &str = "root:x:0:\nwww:x:34:\nlogs:x:50:web,other\nadm:x:51:root,web\n";

    fn identity(uid: u32, gid: u32, groups: &[u32], home: Option<&str>) -> Identity {
        Identity { uid, gid, groups: groups.to_vec(), home: home.map(str::to_string) }
    }

    #[test]
    fn resolves_as_docker_does() {
        for (wanted, expected) in [
            ("", identity(0, 0, &[51], Some("/root"))),
            ("root", identity(0, 0, &[51], Some("/root"))),
            ("web", identity(33, 34, &[50, 51], Some("/var/www"))),
            ("33", identity(33, 34, &[50, 51], Some("/var/www"))),
            ("web:logs", identity(33, 50, &[], Some("/var/www"))),
            ("web:99", identity(33, 99, &[], Some("/var/www"))),
            ("nohome", identity(40, 40, &[], None)),
            ("4321", identity(4321, 0, &[], None)),
            ("4321:4322", identity(4321, 4322, &[], None)),
            (":34", identity(0, 34, &[], Some("/root"))),
            ("1000", identity(7, 7, &[], Some("/seven"))),
        ] {
            assert_eq!(resolve(wanted, PASSWD, GROUP).unwrap(), expected, "{wanted}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        let message = |wanted| match resolve(wanted, PASSWD, GROUP) {
            Err(Error::Start(message)) => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(message("foo"), "unable to find user foo: no matching entries in passwd file");
        assert_eq!(message("web:foo"), "unable to find group foo: no matching entries in group file");
        assert!(message("4294967296").starts_with("uids and gids must be in range"));
        assert!(message("99999999999").starts_with("uids and gids must be in range"));
    }
}
