//! Which cgroup hierarchies this machine has, and where a group lies in them. Pure.
use std::path::{Path, PathBuf};

use super::Error;
use crate::mount::unescape;

/// One mounted hierarchy of cgroup v1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    pub mountpoint: PathBuf,
    pub controllers: Vec<Controller>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    Cpu,
    Cpuacct,
    Memory,
    Pids,
    Freezer,
}

impl Controller {
    pub fn name(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Cpuacct => "cpuacct",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
            Controller::Freezer => "freezer",
        }
    }
}

const CONTROLLERS: [Controller; 5] = [Controller::Cpu, Controller::Cpuacct, Controller::Memory, Controller::Pids, Controller::Freezer];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// The controllers are in v1 hierarchies; `unified` is the v2 tree beside them, which has none.
    V1 {
        hierarchies: Vec<Hierarchy>,
        unified: Option<PathBuf>,
    },
    V2 {
        root: PathBuf,
    },
}

impl Layout {
    /// Reads /proc/self/mountinfo.
    pub fn from_mountinfo(text: &str) -> Result<Layout, Error> {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        let mut unified = None;
        for line in text.lines() {
            let Some((head, tail)) = line.split_once(" - ") else { continue };
            let (mut head, mut tail) = (head.split(' ').skip(3), tail.split(' '));
            let (Some(root), Some(point), Some(kind)) = (head.next(), head.next(), tail.next()) else { continue };
            if root != "/" && !root.starts_with("/../") {
                continue;
            }
            let options = tail.nth(1).unwrap_or_default();
            let point = PathBuf::from(unescape(point));
            if kind == "cgroup2" {
                unified.get_or_insert(point);
            } else if kind == "cgroup" {
                let has = |c: &Controller| options.split(',').any(|o| o == c.name());
                let controllers: Vec<Controller> = CONTROLLERS.into_iter().filter(has).collect();
                let known = hierarchies.iter().any(|h| h.controllers == controllers);
                if !controllers.is_empty() && !known {
                    hierarchies.push(Hierarchy { mountpoint: point, controllers });
                }
            }
        }
        let has_memory = hierarchies.iter().any(|h| h.controllers.contains(&Controller::Memory));
        match (has_memory, unified) {
            (true, unified) => Ok(Layout::V1 { hierarchies, unified }),
            (false, Some(root)) => Ok(Layout::V2 { root }),
            (false, None) => Err(Error::NoHierarchy),
        }
    }

    /// Leaves out the v1 hierarchies whose work the v2 tree beside them does: cgroup.kill for the freezer, cpu.stat for cpuacct. Each
    /// one less spares two directories per container, which is what a start spends most of its time on.
    pub fn lean(self) -> Layout {
        match self {
            Layout::V1 { mut hierarchies, unified: Some(unified) } => {
                let spare = [[Controller::Freezer], [Controller::Cpuacct]];
                hierarchies.retain(|h| !spare.iter().any(|s| h.controllers == s));
                Layout::V1 { hierarchies, unified: Some(unified) }
            }
            other => other,
        }
    }

    /// Every directory that makes up the group `path`.
    pub fn directories(&self, path: &str) -> Vec<PathBuf> {
        match self {
            Layout::V1 { hierarchies, unified } => {
                let roots = hierarchies.iter().map(|h| &h.mountpoint).chain(unified);
                roots.map(|root| root.join(path)).collect()
            }
            Layout::V2 { root } => vec![root.join(path)],
        }
    }

    /// Directory of the group `path` where `controller` is.
    pub fn directory(&self, path: &str, controller: Controller) -> Option<PathBuf> {
        match self {
            Layout::V1 { hierarchies, .. } => {
                hierarchies.iter().find(|h| h.controllers.contains(&controller)).map(|h| h.mountpoint.join(path))
            }
            Layout::V2 { root } => Some(root.join(path)),
        }
    }

    /// Directory of the group in the v2 tree, where processes can be born and killed at once.
    pub fn unified(&self, path: &str) -> Option<PathBuf> {
        match self {
            Layout::V1 { unified, .. } => unified.as_ref().map(|root| root.join(path)),
            Layout::V2 { root } => Some(root.join(path)),
        }
    }
}

/// Whether `path` may be used as a group: relative, plain names only, never the root itself.
pub fn check_path(path: &str) -> Result<(), Error> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    if path.split('/').all(plain) && Path::new(path).is_relative() {
        Ok(())
    } else {
        Err(Error::Path(path.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
28 21 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
29 28 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
30 28 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 28 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
32 28 0:29 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
33 28 0:30 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
34 28 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
35 28 0:32 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
";

    #[test]
    fn reads_the_hybrid_layout() {
        let layout = Layout::from_mountinfo(HYBRID).unwrap();
        let shown: Vec<String> = layout.directories("berth-1/t").iter().map(|p| p.display().to_string()).collect();
        let base = "/sys/fs/cgroup";
        let expected = ["cpu,cpuacct", "memory", "pids", "freezer", "unified"].map(|c| format!("{base}/{c}/berth-1/t"));
        assert_eq!(shown, expected);
        assert_eq!(layout.directory("a", Controller::Cpuacct), Some(PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/a")));
        assert_eq!(layout.clone().lean().directory("a", Controller::Freezer), None);
        // Mounted together with cpu it costs nothing.
        assert!(layout.clone().lean().directory("a", Controller::Cpuacct).is_some());
        assert_eq!(layout.unified("a"), Some(PathBuf::from("/sys/fs/cgroup/unified/a")));
    }

    #[test]
    fn reads_pure_v2() {
        let layout = Layout::from_mountinfo("30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n").unwrap();
        assert_eq!(layout, Layout::V2 { root: PathBuf::from("/sys/fs/cgroup") });
        assert_eq!(layout.directories("a/b"), vec![PathBuf::from("/sys/fs/cgroup/a/b")]);
        assert!(matches!(Layout::from_mountinfo(""), Err(Error::NoHierarchy)));
    }

    #[test]
    fn only_plain_relative_paths_are_groups() {
        for good in ["berth-1/t", "a", "a/b/c"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "."] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }
}
