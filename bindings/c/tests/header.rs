//! `include/xbkit.h` is what the sources say, agrees with the core's tables, and compiles alone.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "tests start programs and read files")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::header::{constants, functions, text};
use xbkit_core::ErrorKind;
use xbkit_core::options::{Job, OPTIONS, OptionType};

/// `make header` sets `XBK_WRITE_HEADER` and thereby writes it.
#[test]
fn the_header_is_what_the_sources_say() {
    let config = cbindgen::Config::from_file(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cbindgen.toml"),
    )
    .expect("cbindgen.toml");
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_crate(env!("CARGO_MANIFEST_DIR"))
        .with_config(config)
        .generate()
        .expect("cbindgen understands the sources")
        .write(&mut made);
    let made = String::from_utf8(made).expect("the header is UTF-8");
    let path = common::root().join("include/xbkit.h");
    if std::env::var_os("XBK_WRITE_HEADER").is_some() {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("include/");
        std::fs::write(&path, &made).expect("the header");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = committed.lines().zip(made.lines()).position(|(a, b)| a != b);
    assert!(
        committed == made,
        "include/xbkit.h is not what bindings/c/src says, from line {} on; run `make header`",
        differing.map_or_else(|| "the last".to_owned(), |line| (line + 1).to_string())
    );
}

#[test]
fn the_header_compiles_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    for (compiler, file, flags) in
        [("gcc", "alone.c", common::STRICT_C), ("g++", "alone.cpp", common::STRICT_CXX)]
    {
        if !common::has(compiler) {
            continue;
        }
        let source = dir.path().join(file);
        let code = "#include \"xbkit.h\"\n#include \"xbkit.h\"\n\
                    xbk_observer observer_of(void);\n\
                    xbk_observer observer_of(void) { xbk_observer o = XBK_OBSERVER_INIT; return o; }\n";
        std::fs::write(&source, code).expect("a source");
        common::run(
            Command::new(compiler)
                .args(flags)
                .args(["-c", "-o", "/dev/null", "-I"])
                .arg(common::root().join("include"))
                .arg(&source),
        );
    }
}

fn numbers(prefix: &str) -> BTreeMap<String, i64> {
    constants(&text())
        .into_iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix(prefix)?.to_owned();
            Some((name, value.parse().expect("a number")))
        })
        .collect()
}

#[test]
fn option_numbers_are_those_of_the_table() {
    let table: BTreeMap<String, i64> =
        OPTIONS.iter().map(|option| (option.name.to_uppercase(), i64::from(option.id))).collect();
    assert_eq!(numbers("XBK_OPT_"), table);
}

/// A job's name without its article.
fn noun(job: Job) -> &'static str {
    let name = job.name();
    name.strip_prefix("an ").or_else(|| name.strip_prefix("a ")).unwrap_or(name)
}

#[test]
fn option_comments_name_their_type_and_jobs() {
    let header = text();
    for option in OPTIONS {
        let define = format!("#define XBK_OPT_{} ", option.name.to_uppercase());
        let at = header.find(&define).expect("the option's number");
        let doc = &header[header[..at].rfind("/**").expect("a comment")..at];
        let flat = doc.replace("\n *", "");
        let kind = match option.kind {
            OptionType::Bool => "bool",
            OptionType::Int => "int",
            OptionType::String => "string",
            _ => "bytes",
        };
        assert!(doc.contains(kind), "{define}: {doc}");
        for job in option.jobs {
            let job = noun(*job);
            assert!(flat.contains(job), "{define} lacks {job}: {doc}");
        }
        if let Some((min, max)) = option.range {
            assert!(doc.contains(&format!("{min} to {max}")), "{define}: {doc}");
        }
        let default = match (option.kind, option.default) {
            (OptionType::Bool, "0") => "off if not set",
            (OptionType::Bool, _) => "on if not set",
            (_, "." | "") => continue,
            (_, default) => default,
        };
        assert!(doc.contains(default) || flat.contains(default), "{define}: {doc}");
    }
}

#[test]
fn types_and_jobs_have_the_numbers_of_the_core() {
    let jobs: BTreeMap<String, i64> = Job::ALL
        .iter()
        .map(|job| (noun(*job).replace(' ', "_").to_uppercase(), i64::from(job.bit())))
        .collect();
    assert_eq!(numbers("XBK_JOB_"), jobs);
    let types: BTreeMap<String, i64> =
        [OptionType::Bool, OptionType::Int, OptionType::String, OptionType::Bytes]
            .iter()
            .map(|kind| (format!("{kind:?}").to_uppercase(), i64::from(kind.code())))
            .collect();
    assert_eq!(numbers("XBK_TYPE_"), types);
}

#[test]
fn every_kind_of_error_has_its_number() {
    let mut expected: BTreeMap<String, i64> = ErrorKind::ALL
        .iter()
        .map(|kind| (shout(&format!("{kind:?}")), i64::from(kind.code())))
        .collect();
    // What only C can meet.
    expected.insert("CALLBACK".to_owned(), -7);
    expected.insert("FORKED".to_owned(), -8);
    assert_eq!(numbers("XBK_E_"), expected);
}

/// `NotFound` as `NOT_FOUND`.
fn shout(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

#[test]
fn version_numbers_are_the_package_s() {
    let numbers = numbers("XBK_VERSION_");
    let part = |name: &str| *numbers.get(name).expect(name);
    let version = format!("{}.{}.{}", part("MAJOR"), part("MINOR"), part("PATCH"));
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        part("NUMBER"),
        part("MAJOR") * 1_000_000 + part("MINOR") * 1000 + part("PATCH"),
        "the composed number"
    );
}

#[test]
fn every_function_says_since_when_and_for_which_threads() {
    let functions = functions(&text());
    assert!(functions.len() > 60, "only {} functions found", functions.len());
    for function in functions {
        let doc = &function.doc;
        assert!(doc.contains("Since: 0."), "{}: no \"Since:\"", function.name);
        assert!(doc.contains("Thread safety:"), "{}: no \"Thread safety:\"", function.name);
        if function.result == "xbk_status" && function.name != "xbk_error_code" {
            assert!(doc.contains("\\return"), "{}: no \"\\return\"", function.name);
        }
        for (kind, param) in &function.params {
            // The object a method is of speaks for itself.
            let is_own = function
                .name
                .starts_with(kind.trim_start_matches("const ").trim_end_matches([' ', '*']));
            let plain = matches!(param.as_str(), "options" | "id" | "value" | "status" | "index");
            let told = doc.contains(&format!("\\param {param} "))
                || doc.contains(&format!("\\param {param}\n"));
            assert!(is_own || plain || told, "{}: {param} is not described", function.name);
        }
    }
}
