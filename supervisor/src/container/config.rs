//! The parts of an OCI bundle's config.json (runtime-spec 1.1) that this runtime acts on.
use std::path::Path;

use serde::Deserialize;

use super::{secrets, Error};
use crate::seccomp::Profile;
use crate::sys;

/// Annotation with the user as the image or the definition writes it (`name`, `uid:gid`, `name:group`): resolved inside the root file
/// system. Without it `process.user` counts as it is.
pub const USER_ANNOTATION: &str = "berth.user";

#[derive(Debug, Deserialize)]
pub struct Config {
    pub process: Process,
    pub root: Root,
    #[serde(default)]
    pub mounts: Vec<Mount>,
    #[serde(default)]
    pub linux: Linux,
    #[serde(default)]
    pub annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Vec<String>,
    pub cwd: String,
    #[serde(default)]
    pub user: User,
    pub capabilities: Option<Capabilities>,
    #[serde(default)]
    pub rlimits: Vec<Rlimit>,
    #[serde(default)]
    pub no_new_privileges: bool,
    pub oom_score_adj: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    pub umask: Option<u32>,
    #[serde(default)]
    pub additional_gids: Vec<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    pub bounding: Vec<String>,
    pub effective: Vec<String>,
    pub inheritable: Vec<String>,
    pub permitted: Vec<String>,
    pub ambient: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Rlimit {
    #[serde(rename = "type")]
    pub kind: String,
    pub hard: u64,
    pub soft: u64,
}

#[derive(Debug, Deserialize)]
pub struct Root {
    #[serde(default)]
    pub readonly: bool,
}

#[derive(Debug, Deserialize)]
pub struct Mount {
    pub destination: String,
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    pub options: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Linux {
    pub masked_paths: Vec<String>,
    pub readonly_paths: Vec<String>,
    pub seccomp: Option<Profile>,
}

fn read(bundle: &Path) -> Result<Vec<u8>, Error> {
    let path = bundle.join("config.json");
    std::fs::read(&path).map_err(|e| Error::Create(format!("cannot read {}: {}", path.display(), sys::reason(&e))))
}

fn parse<T: for<'de> Deserialize<'de>>(bundle: &Path, text: &[u8]) -> Result<T, Error> {
    let invalid = |e| Error::Create(format!("{}/config.json is not a bundle's configuration: {e}", bundle.display()));
    serde_json::from_slice(text).map_err(invalid)
}

impl Config {
    pub fn load(bundle: &Path) -> Result<Config, Error> {
        let mut config: Config = parse(bundle, &read(bundle)?)?;
        if let Some(path) = config.annotations.get(secrets::SECRETS_ANNOTATION) {
            secrets::add_to(&mut config.process.env, path)?;
        }
        if config.process.args.first().is_none_or(String::is_empty) {
            return Err(Error::Create("no command specified".to_string()));
        }
        if !config.process.cwd.starts_with('/') {
            return Err(Error::Create(format!("the working directory {:?} is not an absolute path", config.process.cwd)));
        }
        Ok(config)
    }
}

/// Whether a terminal is wanted. The rest is read in the container's own process, so that the supervisor stays small; a look at the text
/// spares most of them even the parsing.
pub fn wants_terminal(bundle: &Path) -> Result<bool, Error> {
    let text = read(bundle)?;
    let needle = b"\"terminal\"";
    let said = text.windows(needle.len()).enumerate().filter(|(_, part)| *part == needle).any(|(at, _)| {
        let mut rest = text[at + needle.len()..].iter().filter(|b| !b.is_ascii_whitespace());
        rest.next() == Some(&b':') && rest.next() == Some(&b't')
    });
    Ok(said && parse::<Peek>(bundle, &text)?.process.terminal)
}

#[derive(Deserialize)]
struct Peek {
    process: PeekProcess,
}

#[derive(Deserialize)]
struct PeekProcess {
    #[serde(default)]
    terminal: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_whether_a_terminal_is_wanted() {
        let dir = std::env::temp_dir().join(format!("berth-config-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let wanted = |text: &str| {
            std::fs::write(dir.join("config.json"), text).unwrap();
            wants_terminal(&dir).unwrap()
        };
        let found = [
            wanted(r#"{"process":{"terminal" : true}}"#),
            wanted(r#"{"process":{"terminal":false,"env":["A={\"terminal\":true}"]}}"#),
            wanted(r#"{"process":{}, "annotations":{"terminal":"true"}}"#),
            wanted(r#"{"process":{}, "annotations":{"terminal":true}}"#),
        ];
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found, [true, false, false, false]);
    }
}
