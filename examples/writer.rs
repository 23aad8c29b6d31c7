//! Streams data of its own, two members at once from two threads: `writer > stream`.

use std::error::Error;
use std::io::Write;
use std::thread;

use xbkit::{EntryWriter, Format, StreamWriter};

fn fill<W: Write>(mut entry: EntryWriter<W>, line: &str) -> Result<(), xbkit::Error> {
    for _ in 0..100_000 {
        writeln!(entry, "{line}")
            .map_err(|error| xbkit::Error::io(xbkit::ErrorKind::Sink, "writing a member", error))?;
    }
    entry.finish()
}

fn main() -> Result<(), Box<dyn Error>> {
    let writer = StreamWriter::new(Format::Xbstream, std::io::stdout());
    let (a, b) = (writer.entry("a.txt")?, writer.entry("dir/b.txt")?);
    thread::scope(|scope| {
        let other = scope.spawn(|| fill(a, "one line of a"));
        let own = fill(b, "one line of b");
        other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(own)
    })?;
    writer.finish()?;
    Ok(())
}
