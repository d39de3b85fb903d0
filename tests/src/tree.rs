//! A directory with all that is in it, to compare before and after.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

/// What stands at a path.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    /// Permission bits.
    pub mode: u32,
    /// The content of a file; none of a directory.
    pub content: Option<Vec<u8>>,
}

/// Every file and directory below `dir`, by relative path. What cannot be read any more is left out: servers may run.
pub fn read(dir: &Path) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    add(dir, "", &mut nodes);
    nodes
}

fn add(dir: &Path, name: &str, nodes: &mut BTreeMap<String, Node>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = format!("{name}{}", entry.file_name().to_string_lossy());
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            nodes.insert(format!("{name}/"), Node { mode, content: None });
            add(&path, &format!("{name}/"), nodes);
        } else if metadata.is_file()
            && let Ok(content) = fs::read(&path)
        {
            nodes.insert(name, Node { mode, content: Some(content) });
        }
    }
}

/// The paths that differ between two states of a directory.
pub fn differences(before: &BTreeMap<String, Node>, after: &BTreeMap<String, Node>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}
