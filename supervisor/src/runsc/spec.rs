//! A container's configuration as gVisor takes it: the bundle's config.json with what only its root file system tells.
use std::os::fd::BorrowedFd;
use std::path::Path;

use serde_json::{json, Value};

use crate::container::{self, secrets, Error};
use crate::sys;

/// Mounts of these types are served by the gofer, one connection each (specutils.IsGoferMount there).
const BIND: &str = "bind";

pub struct Spec {
    value: Value,
}

impl Spec {
    pub fn load(bundle: &Path) -> Result<Spec, Error> {
        let path = bundle.join("config.json");
        let invalid = |e: String| Error::Create(format!("{}: {e}", path.display()));
        let text = std::fs::read(&path).map_err(|e| invalid(sys::reason(&e)))?;
        let mut value: Value = serde_json::from_slice(&text).map_err(|e| invalid(e.to_string()))?;
        if let Some(path) = value["annotations"][secrets::SECRETS_ANNOTATION].as_str().map(str::to_string) {
            let entries = value["process"]["env"].as_array().into_iter().flatten();
            let mut env: Vec<String> = entries.filter_map(Value::as_str).map(str::to_string).collect();
            secrets::add_to(&mut env, &path)?;
            value["process"]["env"] = json!(env);
        }
        let args = value["process"]["args"].as_array();
        if args.is_none_or(|args| args.first().and_then(Value::as_str).is_none_or(str::is_empty)) {
            return Err(Error::Create("no command specified".to_string()));
        }
        Ok(Spec { value })
    }

    /// Names the root, and the user by what its files say.
    pub fn settle(&mut self, root: BorrowedFd, root_path: &str) -> Result<(), Error> {
        let wanted = self.value["annotations"][container::USER_ANNOTATION].as_str().unwrap_or("0:0").to_string();
        let identity = container::resolve_user(root, &wanted)?;
        let process = &mut self.value["process"];
        process["user"] = json!({ "uid": identity.uid, "gid": identity.gid, "additionalGids": identity.groups });
        let home = identity.home.unwrap_or_else(|| "/".to_string());
        if let Some(env) = process["env"].as_array_mut() {
            let has_home = |e: &Value| e.as_str().is_some_and(|e| e.starts_with("HOME=") && e.len() > 5);
            if !env.iter().any(has_home) {
                env.retain(|e| !e.as_str().is_some_and(|e| e.starts_with("HOME=")));
                env.push(json!(format!("HOME={home}")));
            }
        }
        self.value["root"]["path"] = json!(root_path);
        let cwd = self.value["process"]["cwd"].as_str().unwrap_or("/").to_string();
        let inside =
            cwd.strip_prefix('/').ok_or_else(|| Error::Create(format!("the working directory {cwd:?} is not an absolute path")))?;
        // Docker makes a working directory that the image lacks.
        container::directory_in(root, Path::new(inside))
            .map(drop)
            .map_err(|e| Error::Create(format!("cannot make the working directory: {}", sys::reason(&e))))
    }

    /// Mounts that the gofer serves, in the order of the configuration.
    pub fn gofer_mounts(&self) -> usize {
        let mounts = self.value["mounts"].as_array();
        mounts.map_or(0, |all| all.iter().filter(|mount| mount["type"] == BIND).count())
    }

    /// The list as the gofer resolved it.
    pub fn set_mounts(&mut self, mounts: Value) {
        self.value["mounts"] = mounts;
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn command(&self) -> &str {
        self.value["process"]["args"][0].as_str().unwrap_or_default()
    }
}
