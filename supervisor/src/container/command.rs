//! Finds a container's command as a shell would, and becomes it. Its messages read like those of runc.
use std::convert::Infallible;
use std::ffi::CString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::config::Process;
use super::Error;
use crate::sys::{self, c_string};

/// Docker's default, for an image that sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a command is started anew: what stands before its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Pipes,
    Terminal,
    /// Not a program of the image but `copy`; its path means nothing.
    Copies,
}

impl Manner {
    const ALL: [(Manner, &str); 3] = [(Manner::Pipes, "pipes"), (Manner::Terminal, "terminal"), (Manner::Copies, "copies")];

    pub fn of_terminal(is_terminal: bool) -> Manner {
        if is_terminal {
            Manner::Terminal
        } else {
            Manner::Pipes
        }
    }

    fn of(word: &str) -> Option<Manner> {
        Manner::ALL.iter().find(|(_, name)| *name == word).map(|(manner, _)| *manner)
    }

    fn word(self) -> &'static str {
        Manner::ALL.iter().find(|(manner, _)| *manner == self).map_or("", |(_, name)| name)
    }
}

/// Everything that exec needs.
pub struct Command {
    path: CString,
    name: String,
    args: Vec<CString>,
    env: Vec<CString>,
}

fn variable<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    env.iter().rev().find_map(|e| e.strip_prefix(name)?.strip_prefix('='))
}

/// Looks the command up in the present root and directory, as the present user.
pub fn find(process: &Process, home: Option<&str>) -> Result<Command, Error> {
    let mut env = process.env.clone();
    if variable(&env, "PATH").is_none() {
        env.push(format!("PATH={DEFAULT_PATH}"));
    }
    if variable(&env, "HOME").is_none_or(str::is_empty) {
        env.retain(|e| !e.starts_with("HOME="));
        env.push(format!("HOME={}", home.unwrap_or("/")));
    }
    let name = process.args.first().map_or("", String::as_str);
    let path = locate(name, variable(&env, "PATH").unwrap_or_default())?;
    let c_strings = |texts: &[String]| texts.iter().map(|t| c_string(t.as_bytes())).collect::<io::Result<Vec<_>>>();
    let invalid = |e: io::Error| Error::Create(e.to_string());
    Ok(Command {
        path: c_string(path.as_bytes()).map_err(invalid)?,
        args: c_strings(&process.args).map_err(invalid)?,
        env: c_strings(&env).map_err(invalid)?,
        name: path,
    })
}

/// What `copy` is asked.
pub fn of_copy(process: &Process) -> Result<Command, Error> {
    let args = process.args.iter().map(|word| c_string(word.as_bytes())).collect::<io::Result<Vec<_>>>();
    let args = args.map_err(|e| Error::Create(e.to_string()))?;
    Ok(Command { path: c"copy".into(), name: "copy".to_string(), args, env: Vec::new() })
}

fn locate(name: &str, path: &str) -> Result<String, Error> {
    if name.contains('/') {
        return match usable(name) {
            Ok(()) => Ok(name.to_string()),
            Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ENOTDIR) => {
                Err(Error::Start(format!("exec: {name:?}: stat {name}: {}", sys::reason(&e))))
            }
            Err(e) => Err(Error::Start(format!("exec: {name:?}: {}", sys::reason(&e)))),
        };
    }
    let mut denied = false;
    for dir in path.split(':') {
        let candidate = format!("{}/{name}", if dir.is_empty() { "." } else { dir });
        match usable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(e) => denied |= e.kind() == io::ErrorKind::PermissionDenied,
        }
    }
    let why = if denied { "permission denied" } else { "executable file not found in $PATH" };
    Err(Error::Start(format!("exec: {name:?}: {why}")))
}

fn usable(path: &str) -> io::Result<()> {
    let found: Metadata = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    let odd = found.file_type().is_fifo() || found.file_type().is_socket() || found.file_type().is_char_device();
    let executable = found.mode() & 0o111 != 0;
    let path = c_string(path.as_bytes())?;
    // SAFETY: `path` ends with NUL.
    let allowed = unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) } == 0;
    if odd || !executable || !allowed {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    Ok(())
}

impl Command {
    /// For a new program: what `of_words` takes, with what is told of the standard streams.
    pub fn words(&self, manner: Manner) -> Vec<CString> {
        let manner = CString::new(manner.word()).unwrap_or_default();
        std::iter::once(manner).chain(std::iter::once(self.path.clone())).chain(self.args.iter().cloned()).collect()
    }

    pub fn args(&self) -> Vec<String> {
        self.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    pub fn env(&self) -> &[CString] {
        &self.env
    }

    /// Of this process's own arguments; its environment is this process's.
    pub fn of_words(words: &[String]) -> Option<(Command, Manner)> {
        let [kind, path, args @ ..] = words else { return None };
        if args.is_empty() {
            return None;
        }
        let c_string = |text: &String| CString::new(text.as_bytes()).ok();
        let env = std::env::vars_os().map(|(name, value)| {
            let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
            CString::new(entry).ok()
        });
        let (args, env) = (args.iter().map(c_string).collect::<Option<_>>()?, env.collect::<Option<_>>()?);
        Some((Command { path: c_string(path)?, name: path.clone(), args, env }, Manner::of(kind)?))
    }

    /// Replaces this process. Comes back only with the reason why not.
    pub fn exec(&self) -> Result<Infallible, Error> {
        let pointers = |strings: &[CString]| {
            let mut all: Vec<*const libc::c_char> = strings.iter().map(|s| s.as_ptr()).collect();
            all.push(std::ptr::null());
            all
        };
        let (args, env) = (pointers(&self.args), pointers(&self.env));
        // SAFETY: both arrays end with null and point at C strings that outlive the call.
        unsafe { libc::execve(self.path.as_ptr(), args.as_ptr(), env.as_ptr()) };
        Err(Error::Start(format!("exec {}: {}", self.name, sys::reason(&io::Error::last_os_error()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, path: &str) -> String {
        match locate(name, path) {
            Err(Error::Start(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn looks_up_as_a_shell() {
        assert_eq!(locate("sh", "/nowhere:/bin").unwrap(), "/bin/sh");
        assert_eq!(locate("/bin/sh", "").unwrap(), "/bin/sh");
        assert_eq!(message("foo", "/bin"), "exec: \"foo\": executable file not found in $PATH");
        assert_eq!(message("/x", "/bin"), "exec: \"/x\": stat /x: no such file or directory");
        assert_eq!(message("/etc/passwd", "/bin"), "exec: \"/etc/passwd\": permission denied");
        assert_eq!(message("passwd", "/etc"), "exec: \"passwd\": permission denied");
        assert_eq!(message("/bin", "/bin"), "exec: \"/bin\": is a directory");
    }
}
