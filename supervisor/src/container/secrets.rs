//! Entries of a container's environment that are secret: they lie in a file of their own, in memory, which its configuration names.
use super::Error;
use crate::sys;

/// Annotation with the path of a JSON list of `NAME=value`.
pub const SECRETS_ANNOTATION: &str = "berth.secrets";

/// Adds them, each in place of one of the same name.
pub fn add_to(env: &mut Vec<String>, path: &str) -> Result<(), Error> {
    let failed = |why: String| Error::Create(format!("cannot read the container's secrets: {why}"));
    let text = std::fs::read(path).map_err(|e| failed(sys::reason(&e)))?;
    // What the parser says may hold a part of what it read.
    let entries: Vec<String> = serde_json::from_slice(&text).map_err(|_| failed("they are not a list of texts".to_string()))?;
    for entry in entries {
        let name = entry.split_inclusive('=').next().unwrap_or_default();
        env.retain(|present| !present.starts_with(name));
        env.push(entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_takes_the_place_of_its_name_and_is_in_no_message() {
        let path = std::env::temp_dir().join(format!("berth-secrets-{}", std::process::id()));
        let added = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut env = vec!["A=1".to_string(), "AB=2".to_string()];
            add_to(&mut env, &path.to_string_lossy()).map(|()| env)
        };
        let found = [added(r#"["A=x=y","C="]"#), added(r#"["hunter2",7]"#)];
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found[0].as_ref().unwrap(), &["AB=2", "A=x=y", "C="]);
        match &found[1] {
            Err(Error::Create(why)) => assert!(!why.contains("hunter2"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
