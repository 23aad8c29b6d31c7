//! Counts the bytes of each member without extracting anything: `reader < stream`.

use std::collections::HashMap;
use std::os::fd::AsFd;

use xbkit::{Item, StreamReader};

fn main() -> xbkit::Result<()> {
    let stdin = std::io::stdin();
    let mut reader = StreamReader::from_fd(stdin.as_fd(), None)?;
    let mut data = HashMap::new();
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Data { id, bytes, .. } => *data.entry(id).or_insert(0) += bytes.len(),
            Item::Close { id, path, size } => {
                let bytes = data.remove(&id).unwrap_or(0);
                eprintln!("{path}: {size} bytes, {bytes} of them data");
            }
            _ => {}
        }
    }
    Ok(())
}
