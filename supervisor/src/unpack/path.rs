//! Names of entries: made relative to the layer's root, or refused.

/// A path below the layer's root, without `.`, `..` or doubled slashes; empty for the root itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPath(Vec<u8>);

impl LayerPath {
    /// Leading slashes mean the layer's root. None when the path has `..` or a NUL in it.
    pub fn new(raw: &[u8]) -> Option<LayerPath> {
        let mut path = Vec::with_capacity(raw.len());
        for part in raw.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return None,
                _ if part.contains(&0) => return None,
                _ => {
                    if !path.is_empty() {
                        path.push(b'/');
                    }
                    path.extend_from_slice(part);
                }
            }
        }
        Some(LayerPath(path))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory's path and the last part.
    pub fn split(&self) -> (&[u8], &[u8]) {
        match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (&[], &self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LayerPath;

    #[test]
    fn paths_are_made_relative_or_refused() {
        let clean = |raw: &[u8]| LayerPath::new(raw).map(|path| String::from_utf8(path.0).unwrap());
        assert_eq!(clean(b"./a//b/").as_deref(), Some("a/b"));
        assert_eq!(clean(b"/etc/passwd").as_deref(), Some("etc/passwd"));
        assert_eq!(clean(b"./").as_deref(), Some(""));
        assert_eq!(clean(b"...").as_deref(), Some("..."));
        for bad in [&b"../a"[..], b"a/../../b", b"a/..", b"..", b"a\0b"] {
            assert_eq!(clean(bad), None);
        }
    }
}
