//! The layers hold: no file below `src` imports from a layer above its own.
//!
//! The check reads tokens, not types: every path that begins with `crate::`, or that climbs there
//! by `super::`, in `use` and elsewhere, is looked up by its first segment. Comments and string
//! literals do not count. What a table cannot say (no `unsafe`, no `std::fs`) is left to lints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Module, layer, and what it may import of its own layer.
///
/// `None` means any sibling. L0 and L1 are stricter: the error type must stand alone, and a codec
/// must not learn what a tablespace is.
const LAYERS: &[(&str, u8, Option<&[&str]>)] = &[
    ("error", 0, Some(&[])),
    ("limits", 0, Some(&["error"])),
    ("pages", 0, Some(&[])),
    ("event", 0, Some(&["error", "pages"])),
    ("options", 0, Some(&["error", "limits"])),
    ("sys", 0, Some(&["error", "limits"])),
    ("cancel", 0, Some(&["error", "sys"])),
    ("codec", 1, Some(&[])),
    ("format", 1, Some(&["codec"])),
    ("innodb", 1, Some(&[])),
    ("manifest", 1, Some(&["format"])),
    ("metadata", 1, Some(&["codec", "format"])),
    ("io", 2, None),
    ("pipeline", 2, None),
    ("stream", 3, None),
    ("server", 3, None),
    ("create", 4, None),
    ("convert", 4, None),
    ("backup", 4, None),
    ("extract", 4, None),
    ("prepare", 4, None),
    ("restore", 4, None),
    ("inspect", 4, None),
    ("check", 4, None),
    ("lib", 5, None),
    ("bin", 5, None),
];

/// The layer of bytes alone, and what it may not touch: the same input gives the same output.
const PURE: u8 = 1;
const IMPURE_STD: &[&str] = &["env", "fs", "net", "process", "thread", "time"];
const IMPURE_BASE: &[&str] = &["cancel", "event", "sys"];

#[test]
#[expect(clippy::disallowed_methods, reason = "the test reads the sources")]
fn no_file_imports_from_a_layer_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files).expect("src can be listed");
    assert!(files.len() > 5, "only {} files found below {}", files.len(), src.display());
    let mut report = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file can be read");
        let name = file.strip_prefix(&src).expect("a file below src");
        for Fault { line, what } in check(name, &text) {
            let _ = writeln!(report, "src/{}:{line}: {what}", name.display());
        }
    }
    assert!(report.is_empty(), "layers broken:\n{report}");
}

#[expect(clippy::disallowed_methods, reason = "the test reads the sources")]
fn collect(dir: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    Ok(())
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    what: String,
}

/// The faults of one file. `name` is its path below `src`.
fn check(name: &Path, text: &str) -> Vec<Fault> {
    let module = module_of(name);
    let top = module.first().map_or("lib", String::as_str);
    let tokens = lex(text);
    let mut faults = Vec::new();
    let Some((layer, siblings)) = layer_of(top) else {
        let what = format!("`{top}` has no layer; add it to the table in tests/layers.rs");
        return vec![Fault { line: 1, what }];
    };
    for i in 0..tokens.len() {
        if words(&tokens, i, &["doc", "(", "hidden"]) {
            let what = "hidden API: the command line and the bindings use what is documented";
            faults.push(Fault { line: line_of(&tokens, i), what: what.to_owned() });
        }
        if top == "bin"
            && (words(&tokens, i, &["#", "[", "path", "="]) || words(&tokens, i, &["include", "!"]))
        {
            let what = "the command line includes a source file; it uses `xbkit::` alone";
            faults.push(Fault { line: line_of(&tokens, i), what: what.to_owned() });
        }
    }
    if layer == 5 {
        return faults; // what the faces may use is what the compiler lets them
    }
    for (line, target) in imports(&tokens, &module) {
        if let Some(what) = judge(top, layer, siblings, &target) {
            faults.push(Fault { line, what });
        }
    }
    if layer == PURE {
        for (line, part) in roots(&tokens, "std") {
            if IMPURE_STD.contains(&part.as_str()) {
                let what = format!("`{top}` (L{layer}, bytes only) uses `std::{part}`");
                faults.push(Fault { line, what });
            }
        }
    }
    faults
}

/// Why `top` of `layer` may not import `crate::target`, if it may not.
fn judge(top: &str, layer: u8, siblings: Option<&[&str]>, target: &str) -> Option<String> {
    if target == top {
        return None;
    }
    let Some((their, _)) = layer_of(target).filter(|(their, _)| *their < 5) else {
        return Some(format!(
            "`{top}` (L{layer}) imports `crate::{target}` from the crate root (L5); \
             name the module that defines it"
        ));
    };
    let verb = match their.cmp(&layer) {
        std::cmp::Ordering::Greater => "imports upward",
        std::cmp::Ordering::Equal if siblings.is_some_and(|known| !known.contains(&target)) => {
            "may not import its sibling"
        }
        _ if layer == PURE && IMPURE_BASE.contains(&target) => "is bytes only, yet imports",
        _ => return None,
    };
    Some(format!("`{top}` (L{layer}) {verb} `crate::{target}` (L{their})"))
}

fn layer_of(module: &str) -> Option<(u8, Option<&'static [&'static str]>)> {
    let (_, layer, siblings) = LAYERS.iter().find(|(name, ..)| *name == module)?;
    Some((*layer, *siblings))
}

/// The module a file holds, from the crate root: `io/source.rs` is `io::source`, `lib.rs` nothing.
fn module_of(name: &Path) -> Vec<String> {
    let stem = name.with_extension("");
    let mut parts: Vec<String> =
        stem.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// A word, a `::` or a single character of punctuation, with its line.
type Token<'a> = (usize, &'a str);

fn text_of<'a>(tokens: &[Token<'a>], i: usize) -> &'a str {
    tokens.get(i).map_or("", |(_, text)| text)
}

fn line_of(tokens: &[Token<'_>], i: usize) -> usize {
    tokens.get(i).map_or(0, |(line, _)| *line)
}

fn words(tokens: &[Token<'_>], at: usize, expected: &[&str]) -> bool {
    expected.iter().enumerate().all(|(n, word)| text_of(tokens, at + n) == *word)
}

/// First segments of all paths from the crate root, as `(line, segment)`.
fn imports(tokens: &[Token<'_>], module: &[String]) -> Vec<(usize, String)> {
    let mut found = roots(tokens, "crate");
    let mut depth = 0_usize;
    let mut inline = Vec::new(); // depth of each `mod name {` around the token
    for i in 0..tokens.len() {
        match text_of(tokens, i) {
            "{" => {
                depth += 1;
                if i >= 2 && text_of(tokens, i - 2) == "mod" {
                    inline.push(depth);
                }
            }
            "}" => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
                depth = depth.saturating_sub(1);
            }
            "super" if i == 0 || text_of(tokens, i - 1) != "::" => {
                let mut up = 0;
                while words(tokens, i + 2 * up, &["super", "::"]) {
                    up += 1;
                }
                if up == module.len() + inline.len() {
                    heads(tokens, i + 2 * up, &mut found);
                }
            }
            _ => {}
        }
    }
    found
}

/// First segments behind each `root::`, as `(line, segment)`; all of them where a group follows.
fn roots(tokens: &[Token<'_>], root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for i in 0..tokens.len() {
        if words(tokens, i, &[root, "::"]) {
            heads(tokens, i + 2, &mut found);
        }
    }
    found
}

/// The segment at `at`, or the first segments of the group that opens there.
fn heads(tokens: &[Token<'_>], at: usize, found: &mut Vec<(usize, String)>) {
    if text_of(tokens, at) != "{" {
        found.push((line_of(tokens, at), text_of(tokens, at).to_owned()));
        return;
    }
    let mut depth = 0_usize;
    for i in at..tokens.len() {
        let text = text_of(tokens, i);
        if depth == 1 && text != "}" && matches!(text_of(tokens, i - 1), "{" | ",") {
            heads(tokens, i, found);
        }
        match text {
            "{" => depth += 1,
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            _ => {}
        }
    }
}

/// The tokens of Rust source, without comments and literals of text.
fn lex(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let (len, keep) = match next_token(&bytes[at..]) {
            Kind::Skip(len) => (len, false),
            Kind::Keep(len) => (len, true),
        };
        let end = (at + len).min(bytes.len());
        if keep {
            // Kept tokens are ASCII, so they are cut at character borders.
            tokens.push((line, &source[at..end]));
        }
        line += bytes[at..end].split(|byte| *byte == b'\n').count() - 1;
        at = end;
    }
    tokens
}

enum Kind {
    Skip(usize),
    Keep(usize),
}

fn next_token(rest: &[u8]) -> Kind {
    let word =
        rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if word > 0 {
        let prefix = matches!(&rest[..word], b"r" | b"b" | b"c" | b"br" | b"cr");
        let raw = rest[..word].contains(&b'r');
        return match string_len(&rest[word..], raw) {
            Some(len) if prefix => Kind::Skip(word + len),
            _ if rest.starts_with(b"b'") => Kind::Skip(1 + quote_len(&rest[1..])),
            _ => Kind::Keep(word),
        };
    }
    match rest {
        [b'/', b'/', ..] => Kind::Skip(rest.iter().take_while(|byte| **byte != b'\n').count()),
        [b'/', b'*', ..] => Kind::Skip(comment_len(rest)),
        [b'"', ..] => Kind::Skip(string_len(rest, false).unwrap_or(rest.len())),
        [b'\'', ..] => Kind::Skip(quote_len(rest)),
        [b':', b':', ..] => Kind::Keep(2),
        [byte, ..] if byte.is_ascii_punctuation() => Kind::Keep(1),
        _ => Kind::Skip(1),
    }
}

/// Length of the string literal at the start of `rest`, with its quotes and hashes.
fn string_len(rest: &[u8], raw: bool) -> Option<usize> {
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') || (hashes > 0 && !raw) {
        return None;
    }
    let mut at = hashes + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' if !raw => at += 2,
            b'"' if rest[at + 1..].iter().take_while(|byte| **byte == b'#').count() >= hashes => {
                return Some(at + 1 + hashes);
            }
            _ => at += 1,
        }
    }
    Some(rest.len())
}

/// Length of the character literal, or of the lifetime, at the start of `rest`.
fn quote_len(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        // The escaped byte may itself be a quote.
        return 4 + rest.iter().skip(3).take_while(|byte| **byte != b'\'').count();
    }
    let character = match rest.get(1) {
        Some(first) if *first >= 0xf0 => 4,
        Some(first) if *first >= 0xe0 => 3,
        Some(first) if *first >= 0xc0 => 2,
        _ => 1,
    };
    if rest.get(1 + character) == Some(&b'\'') { 2 + character } else { 1 }
}

fn comment_len(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The checker itself, on samples whose faults are known.
mod checker {
    use super::*;

    fn faults(name: &str, text: &str) -> Vec<(usize, String)> {
        check(Path::new(name), text).into_iter().map(|fault| (fault.line, fault.what)).collect()
    }

    fn lines(name: &str, text: &str) -> Vec<usize> {
        faults(name, text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn an_upward_import_is_named_with_its_line() {
        let bad = "use crate::error::Error;\n\nuse crate::stream::reader::StreamReader;\n";
        assert_eq!(
            faults("io/source.rs", bad),
            [(3, "`io` (L2) imports upward `crate::stream` (L3)".to_owned())]
        );
    }

    #[test]
    fn groups_and_paths_in_code_count_too() {
        let bad = "use crate::{\n    error::Error,\n    backup::{plan, run},\n};\n\
                   fn f() -> u8 { crate::extract::root::g() }\n";
        assert_eq!(lines("stream/reader.rs", bad), [3, 5]);
    }

    #[test]
    fn climbing_by_super_counts_as_the_root() {
        assert_eq!(lines("io/source.rs", "use super::super::stream::X;\n"), [1]);
        let inline = "mod tests {\n    use super::*;\n    use super::super::buffer::B;\n    \
                      use super::super::super::stream::X;\n}\n";
        assert_eq!(lines("io/source.rs", inline), [4]);
        assert_eq!(lines("io/mod.rs", "use super::{error::Error, stream::X};\n"), [1]);
    }

    #[test]
    fn comments_and_literals_do_not_count() {
        let good = "//! [`crate::stream`]\n/* use crate::stream::X; /* nested */ crate::backup::Y */\n\
                    const A: &str = \"crate::stream\"; const B: &str = r#\"\"crate::backup::x\"#;\n\
                    const C: char = '\"'; const D: u8 = b'\\''; fn f<'a>(x: &'a str) {}\n";
        assert_eq!(faults("io/source.rs", good), []);
        let bad = "const C: char = '\"'; fn f<'a>(x: &'a str) { crate::stream::x(\"é\", 'é') }\n";
        assert_eq!(lines("io/source.rs", bad), [1]);
    }

    #[test]
    fn base_modules_import_only_what_the_table_says() {
        assert_eq!(faults("cancel.rs", "use crate::sys::event_fd::EventFd;\n"), []);
        assert_eq!(lines("sys/fd.rs", "use crate::{cancel::CancelToken, limits, error};\n"), [1]);
        assert_eq!(lines("error.rs", "use crate::limits::X;\n"), [1]);
    }

    #[test]
    fn bytes_layers_touch_neither_files_nor_clock_nor_sys() {
        let bad = "use std::{fs::File, io, time::Instant};\nuse crate::sys::fd;\n";
        let mut found = lines("codec/gzip.rs", bad);
        found.sort_unstable();
        assert_eq!(found, [1, 1, 2]);
        assert_eq!(lines("innodb/page.rs", "use crate::format::xbstream;\n"), [1]);
        assert_eq!(faults("io/source.rs", "use std::fs::File;\nuse crate::sys::fd;\n"), []);
    }

    #[test]
    fn names_of_the_crate_root_are_imported_from_their_module() {
        assert_eq!(lines("io/sink.rs", "use crate::Result;\n"), [1]);
        assert_eq!(lines("io/sink.rs", "use crate::*;\n"), [1]);
        assert_eq!(faults("lib.rs", "pub use crate::error::Result;\n"), []);
    }

    #[test]
    fn the_command_line_uses_the_library_from_outside() {
        let good =
            "mod args;\nuse crate::args::Args;\nuse xbkit::Error;\nconst P: &[P] = &[path];\n";
        assert_eq!(faults("bin/xbkit/main.rs", good), []);
        assert_eq!(lines("bin/xbkit/main.rs", "#[path = \"../../sys/fd.rs\"]\nmod fd;\n"), [1]);
        assert_eq!(lines("lib.rs", "\n#[doc(hidden)]\npub mod sys;\n"), [2]);
    }

    #[test]
    fn a_module_outside_the_table_is_a_fault() {
        assert_eq!(lines("misc/mod.rs", "use crate::error::Error;\n"), [1]);
    }
}
