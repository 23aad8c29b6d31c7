//! Streams made to do harm, and targets prepared to: nothing is ever written outside of the
//! target, through a symlink, or over a file that was there before.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use common::build::{Chunks, noise};
use common::child::{child_after, finish, given, job, tell, told};
use common::sandbox::{Act, Entry, Sandbox, Script, WAYS, Way, snapshot, wait_until};
use common::tree;
use xbkit::{Error, ErrorKind, Event, Extract, ExtractReport, Result, Silent};

use ErrorKind::{Exists, FileChanged, Format, Limit, NotFound, Sink, UnsafePath};

const IN_PLACE: [Way; 2] =
    [Way { in_place: true, parallel: 1 }, Way { in_place: true, parallel: 3 }];

/// Extracts in every way into a sandbox of its own, and gives what came of it. Whatever did,
/// nothing outside was touched, and a failure leaves the target as it was.
fn each_way(
    ways: &[Way],
    stream: &Chunks,
    prepare: impl Fn(&Sandbox),
    mut judge: impl FnMut(Way, &Sandbox, Result<ExtractReport>),
) {
    for way in ways {
        let sandbox = Sandbox::new();
        prepare(&sandbox);
        let before = snapshot(&sandbox.target());
        let result = way.extract(&sandbox.target(), &stream.0);
        sandbox.assert_nothing_outside(&format!("{way:?}: {result:?}"));
        if result.is_err() {
            assert_eq!(snapshot(&sandbox.target()), before, "{way:?}: {result:?}");
        }
        judge(*way, &sandbox, result);
    }
}

#[track_caller]
fn refused(kinds: &[ErrorKind], what: &str) -> impl FnMut(Way, &Sandbox, Result<ExtractReport>) {
    move |way, _, result| {
        let error = result.err().unwrap_or_else(|| panic!("{what}, {way:?}: accepted"));
        assert!(kinds.contains(&error.kind()), "{what}, {way:?}: {:?}: {error}", error.kind());
    }
}

/// Whether the error says what is wrong in words that a terminal can be shown.
fn is_printable(error: &Error) -> bool {
    error.to_string().chars().all(|c| !c.is_control())
}

const UNSAFE: &[&[u8]] = &[
    b"/",
    b"/etc/xbkit-new",
    b"//etc/xbkit-new",
    b"..",
    b"../outside/new",
    b"a/../../outside/new",
    b"a/..",
    b"./../outside/new",
    b"a/./../../outside/new",
    b".",
    b"./",
    b"./.",
    b"a/",
    b"a/.",
    b"a//",
    b"\0",
    b"a\0/../../outside/new",
    b"a\0b",
];

#[test]
fn unsafe_names_are_refused_in_every_chunk() {
    let long = [b'n'; 256];
    let nested = [&b"d/"[..], &long, b"/x"].concat();
    for name in UNSAFE.iter().copied().chain([&long[..], &nested[..]]) {
        let before = || Chunks::default().file(b"safe/a", b"1");
        for (chunk, stream) in [
            ("payload", before().payload(name, 0, b"x").end(name)),
            ("end", before().end(name)),
            ("sparse", before().sparse(name, 0, &[(10, 1)], b"x").end(name)),
            ("seek", before().seek(name, 0).end(name)),
            ("rewrite", before().rewrite(name, b"x").end(name)),
            ("renamed from", before().rename(name, b"b")),
            ("renamed to", before().rename(b"safe/a", name)),
            ("removed", before().remove(name)),
        ] {
            let what = format!("{chunk} of \"{}\"", name.escape_ascii());
            each_way(
                &WAYS,
                &stream,
                |_| {},
                |way, sandbox, result| {
                    assert!(result.as_ref().is_err_and(is_printable), "{what}");
                    refused(&[UnsafePath], &what)(way, sandbox, result);
                },
            );
        }
    }
    let empty = Chunks::default().file(b"safe/a", b"1").chunk(0, b'E', b"", b"");
    each_way(&WAYS, &empty, |_| {}, refused(&[UnsafePath], "an empty name"));
}

#[test]
fn the_longest_names_are_taken_and_longer_ones_refused() {
    let component = vec![b'c'; 255];
    let path = [&component[..], b"/", &component].concat();
    assert_eq!(path.len(), 511);
    each_way(
        &WAYS,
        &Chunks::default().file(&path, b"x"),
        |_| {},
        |way, sandbox, result| {
            result.unwrap_or_else(|error| panic!("{way:?}: {error}"));
            assert_eq!(
                tree::on_disk(&sandbox.target()).into_keys().collect::<Vec<_>>(),
                [&path[..]]
            );
        },
    );
    let longer = Chunks::default().chunk(0, b'E', &[&path[..], b"x"].concat(), b"");
    each_way(&WAYS, &longer, |_| {}, refused(&[Limit], "512 bytes"));
}

#[test]
fn odd_names_are_kept_as_they_are() {
    let names: [&[u8]; 7] =
        [b"\x1b[2J", b"a\nb", b"\xff\xfe", b"..x", b"a\\b", b"C:", b".rocksdb/CURRENT"];
    let stream = names.iter().fold(Chunks::default(), |all, name| all.file(name, name));
    each_way(
        &WAYS,
        &stream,
        |_| {},
        |way, sandbox, result| {
            assert_eq!(result.unwrap().members, 7, "{way:?}");
            let files = tree::on_disk(&sandbox.target());
            assert!(names.iter().all(|name| files[*name].to_vec() == *name), "{files:?}");
        },
    );
}

/// Two files where names differ by case; where a file system thinks them equal, an error.
#[test]
fn names_that_differ_by_case_are_never_one_file() {
    let stream = Chunks::default().file(b"db/T.ibd", b"upper").file(b"DB/t.ibd", b"lower");
    let stream = stream.file(b"db/t.ibd", b"third");
    let folds = {
        let sandbox = Sandbox::new();
        fs::write(sandbox.target().join("x"), "").unwrap();
        sandbox.target().join("X").exists()
    };
    each_way(
        &WAYS,
        &stream,
        |_| {},
        |way, sandbox, result| {
            assert_eq!(result.is_err(), folds, "{way:?}: {result:?}");
            if let Err(error) = result {
                assert_eq!(error.kind(), Exists);
            } else {
                let files = tree::on_disk(&sandbox.target());
                assert_eq!(files.len(), 3);
                assert_eq!(files[&b"db/T.ibd"[..]].to_vec(), b"upper");
            }
        },
    );
}

/// Names that xbkit itself uses in a target cannot come from a stream: a later run would take
/// such a directory for the remains of an earlier one, or a good copy for an unfinished one.
#[test]
fn the_marks_of_unfinished_extractions_are_no_member_names() {
    for name in [&b".xbkit-partial"[..], b".xbkit-partial/a", b".xbkit-incomplete"] {
        let what = format!("{}", name.escape_ascii());
        for stream in [
            Chunks::default().file(b"a", b"1").file(name, b"x"),
            Chunks::default().file(b"a", b"1").rename(b"a", name),
        ] {
            each_way(&WAYS, &stream, |_| {}, refused(&[UnsafePath], &what));
            let sandbox = Sandbox::new();
            fs::write(sandbox.target().join("own"), "own").unwrap();
            let before = snapshot(&sandbox.target());
            let job = WAYS[0].job(&sandbox.target()).overwrite(true);
            let error = job.run(&mut &*stream.0, &mut Silent).unwrap_err();
            assert_eq!(error.kind(), UnsafePath, "{what}, overwrite: {error}");
            assert_eq!(snapshot(&sandbox.target()), before);
        }
        let deeper = Chunks::default().file(&[b"db/", name].concat(), b"x");
        each_way(
            &WAYS,
            &deeper,
            |_| {},
            |way, _, result| {
                result.unwrap_or_else(|error| panic!("{what} below db, {way:?}: {error}"));
            },
        );
    }
}

/// What stands in a member's way in an existing directory, made by this function.
type Obstacle = (&'static str, fn(&Sandbox), &'static [ErrorKind]);

fn run(program: &str, arguments: &[&OsStr]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[test]
fn what_stands_in_the_way_is_neither_followed_nor_touched() {
    let obstacles: &[Obstacle] = &[
        ("file", |s| fs::write(s.target().join("d/x"), "own").unwrap(), &[Exists]),
        ("directory", |s| fs::create_dir(s.target().join("d/x")).unwrap(), &[Exists]),
        (
            "symlink to a file",
            |s| symlink("../../outside/kept", s.target().join("d/x")).unwrap(),
            &[Exists],
        ),
        (
            "symlink to nowhere",
            |s| symlink("../../outside/new", s.target().join("d/x")).unwrap(),
            &[Exists],
        ),
        (
            "symlink to a directory",
            |s| symlink("../../outside", s.target().join("d/x")).unwrap(),
            &[Exists],
        ),
        ("FIFO", |s| assert!(run("mkfifo", &[s.target().join("d/x").as_os_str()])), &[Exists]),
        ("socket", |s| drop(UnixListener::bind(s.target().join("d/x")).unwrap()), &[Exists]),
        // Only root may make one; else there is a plain file.
        (
            "device",
            |s| {
                let path = s.target().join("d/x");
                let made = ["c", "1", "3"].map(OsStr::new);
                if !run("mknod", &[&[path.as_os_str()], &made[..]].concat()) {
                    fs::write(path, "own").unwrap();
                }
            },
            &[Exists],
        ),
    ];
    for (what, make, kinds) in obstacles {
        let prepare = |sandbox: &Sandbox| {
            fs::create_dir(sandbox.target().join("d")).unwrap();
            make(sandbox);
        };
        let file = || Chunks::default().file(b"new/a", b"1").file(b"d/a", b"2");
        for (how, stream) in [
            ("member", file().file(b"d/x", b"x").file(b"z", b"x")),
            ("empty member", file().end(b"d/x")),
            ("sparse member", file().sparse(b"d/x", 0, &[(4096, 1)], b"x").end(b"d/x")),
            ("rewriting member", file().rewrite(b"d/x", b"x").end(b"d/x")),
            ("renamed member", file().rename(b"new/a", b"d/x")),
        ] {
            each_way(&IN_PLACE, &stream, prepare, refused(kinds, &format!("{what}, {how}")));
        }
        // A directory is in nobody's way as a parent.
        if *what != "directory" {
            let below = file().file(b"d/x/y", b"x");
            let kinds = &[Exists, UnsafePath, Sink];
            each_way(&IN_PLACE, &below, prepare, refused(kinds, &format!("{what} as a parent")));
            let below = file().rename(b"new/a", b"d/x/y");
            each_way(&IN_PLACE, &below, prepare, refused(kinds, &format!("{what} as a parent")));
        }
        // A stream may take back what it brought itself, and nothing else.
        let stream = file().remove(b"d/x").remove(b"d").remove(b"d/a");
        each_way(&IN_PLACE, &stream, prepare, |way, sandbox, result| {
            let report = result.unwrap_or_else(|error| panic!("{what}, {way:?}: {error}"));
            assert_eq!(report.members, 1, "{what}");
            assert!(fs::symlink_metadata(sandbox.target().join("d/x")).is_ok(), "{what}");
            assert!(!sandbox.target().join("d/a").exists());
        });
    }
}

#[test]
fn symlinked_directories_in_the_target_are_not_entered() {
    let links: &[fn(&Sandbox)] = &[
        |s| symlink("../outside", s.target().join("db")).unwrap(),
        |s| symlink(s.outside(), s.target().join("db")).unwrap(),
        |s| symlink("../outside/empty", s.target().join("db")).unwrap(),
        |s| symlink("inner", s.target().join("db")).unwrap(),
        |s| symlink("db", s.target().join("db")).unwrap(),
        |s| symlink("/", s.target().join("db")).unwrap(),
        |s| symlink("/proc/self/cwd", s.target().join("db")).unwrap(),
    ];
    for (number, link) in links.iter().enumerate() {
        let prepare = |sandbox: &Sandbox| {
            fs::create_dir(sandbox.target().join("inner")).unwrap();
            link(sandbox);
        };
        for (how, stream) in [
            ("member", Chunks::default().file(b"a", b"1").file(b"db/new", b"x")),
            ("deep member", Chunks::default().file(b"db/new/deep/er", b"x")),
            ("rename", Chunks::default().file(b"a", b"1").rename(b"a", b"db/new")),
            ("deep rename", Chunks::default().file(b"a", b"1").rename(b"a", b"db/new/deep")),
        ] {
            let what = format!("symlink {number}, {how}");
            each_way(&IN_PLACE, &stream, prepare, refused(&[UnsafePath], &what));
        }
    }
    // A symlink that the user named as the target is the user's own.
    let sandbox = Sandbox::new();
    let link = sandbox.target().join("link");
    fs::create_dir(sandbox.target().join("real")).unwrap();
    symlink("real", &link).unwrap();
    for way in WAYS {
        let stream = Chunks::default().file(format!("{way:?}").as_bytes(), b"x");
        let job = way.job(&link).overwrite(!way.in_place);
        job.run(&mut &*stream.0, &mut Silent).unwrap();
    }
    assert_eq!(tree::on_disk(&sandbox.target().join("real")).len(), WAYS.len());
}

/// Existing directories keep their files, and the members in them appear and vanish alone.
#[test]
fn a_failure_in_place_takes_back_only_its_own() {
    let prepare = |sandbox: &Sandbox| {
        fs::create_dir_all(sandbox.target().join("db/deep")).unwrap();
        fs::write(sandbox.target().join("db/own"), "own").unwrap();
    };
    let files = Chunks::default()
        .file(b"db/deep/a", b"1")
        .file(b"db/new/b", b"2")
        .file(b"new/er/c", b"3")
        .file(b"d", b"4")
        .rename(b"d", b"moved/here/d")
        .payload(b"db/open", 0, b"5");
    each_way(&IN_PLACE, &files, prepare, refused(&[ErrorKind::Truncated], "cut"));
    each_way(&IN_PLACE, &files.clone().end(b"db/open"), prepare, |_, sandbox, result| {
        assert_eq!(result.unwrap().members, 5);
        let mode = |name| fs::metadata(sandbox.target().join(name)).unwrap().mode();
        assert_eq!(mode("db/own") & 0o777, mode("db/own") & 0o666);
        assert!(sandbox.target().join("moved/here/d").exists());
    });
}

/// Changes the target while it is being extracted into: behind a point that the stream reached,
/// and before any further byte is read.
fn with_change(
    way: Way,
    begin: &Chunks,
    reached: impl Fn(&Path) -> bool,
    change: impl Fn(&Path),
    rest: &Chunks,
) -> (Sandbox, Result<ExtractReport>) {
    let sandbox = Sandbox::new();
    let target = sandbox.target();
    let work = if way.in_place { target.clone() } else { target.join(".xbkit-partial") };
    let mut script = Script::new([
        Act::Give(begin.0.clone()),
        Act::Do(Box::new(|| {
            wait_until("the first members are there", || reached(&work));
            change(&work);
        })),
        Act::Give(rest.0.clone()),
    ]);
    let result = way.job(&target).run(&mut script, &mut Silent);
    drop(script);
    (sandbox, result)
}

fn has(name: &'static str, size: u64) -> impl Fn(&Path) -> bool {
    move |dir| fs::metadata(dir.join(name)).is_ok_and(|meta| meta.len() == size)
}

/// A directory that was made, and is known to be one, becomes a symlink to elsewhere.
#[test]
fn a_directory_swapped_for_a_symlink_is_not_entered() {
    for way in WAYS {
        let swap = |work: &Path| {
            fs::rename(work.join("db"), work.join("moved")).unwrap();
            let up = if way.in_place { "../outside" } else { "../../outside" };
            symlink(up, work.join("db")).unwrap();
        };
        let begin = Chunks::default().file(b"db/a", b"12345");
        for (what, rest) in [
            ("member", Chunks::default().file(b"db/b", b"x")),
            ("new directory", Chunks::default().file(b"db/new/b", b"x")),
            ("rename into it", Chunks::default().file(b"b", b"x").rename(b"b", b"db/b")),
            ("rename out of it", Chunks::default().rename(b"db/a", b"b")),
            ("remove", Chunks::default().remove(b"db/a")),
            ("rewrite", Chunks::default().rewrite(b"db/a", b"x").end(b"db/a")),
        ] {
            let (sandbox, result) = with_change(way, &begin, has("db/a", 5), swap, &rest);
            let error = result.expect_err(what);
            assert_eq!(error.kind(), UnsafePath, "{what}, {way:?}: {error}");
            sandbox.assert_nothing_outside(what);
            let left = snapshot(&sandbox.target());
            if way.in_place {
                // What was moved away cannot be found to be removed, so the mark stays.
                assert!(left.contains_key(Path::new(".xbkit-incomplete")), "{what}: {left:?}");
                assert!(matches!(left[Path::new("db")], Entry::Symlink { .. }));
            } else {
                assert!(left.is_empty(), "{what}: {left:?}");
            }
        }
    }
}

/// A file loses its descriptor to others, and is another when it is opened again.
#[test]
fn a_file_swapped_while_it_was_closed_is_not_written_to() {
    type Swap = (&'static str, fn(&Path), &'static [ErrorKind]);
    let swaps: &[Swap] = &[
        ("symlink", |file| symlink("../outside/kept", file).unwrap(), &[UnsafePath]),
        ("file", |file| fs::write(file, "another").unwrap(), &[FileChanged]),
        (
            "hard link",
            |file| fs::hard_link(file.with_file_name("0001"), file).unwrap(),
            &[FileChanged],
        ),
        ("FIFO", |file| assert!(run("mkfifo", &[file.as_os_str()])), &[Sink]),
        ("nothing", |_| {}, &[NotFound]),
    ];
    // More than the 1,024 descriptors that are kept at most, so the first ones are closed.
    let open = (0..1100).fold(Chunks::default(), |stream, number| {
        stream.payload(format!("{number:04}").as_bytes(), 0, b"12345")
    });
    for (what, swap, kinds) in swaps {
        for way in IN_PLACE {
            let change = |work: &Path| {
                fs::remove_file(work.join("0000")).unwrap();
                swap(&work.join("0000"));
            };
            let rest = Chunks::default().payload(b"0000", 5, b"more");
            let rest = (0..1100)
                .fold(rest, |stream, number| stream.end(format!("{number:04}").as_bytes()));
            let (sandbox, result) = with_change(way, &open, has("1099", 5), change, &rest);
            let error = result.expect_err(what);
            assert!(kinds.contains(&error.kind()), "{what}, {way:?}: {error}");
            sandbox.assert_nothing_outside(what);
        }
    }
}

#[test]
fn a_name_cannot_be_file_and_directory() {
    let below_file = Chunks::default().file(b"a", b"1").file(b"a/b", b"2");
    each_way(&WAYS, &below_file, |_| {}, refused(&[Exists, Sink], "file, then directory"));
    let over_dir = Chunks::default().file(b"a/b", b"1").file(b"a", b"2");
    each_way(&WAYS, &over_dir, |_| {}, refused(&[Exists, Sink], "directory, then file"));
    let into_itself = Chunks::default().file(b"a", b"1").rename(b"a", b"a/b");
    each_way(&WAYS, &into_itself, |_| {}, refused(&[Exists, Sink], "rename below itself"));
    let over_dir = Chunks::default().file(b"a/b", b"1").file(b"c", b"2").rename(b"c", b"a");
    each_way(&WAYS, &over_dir, |_| {}, refused(&[Exists, Sink], "rename onto a directory"));
}

#[test]
fn renames_replace_what_the_stream_brought_and_nothing_else() {
    let two = || Chunks::default().file(b"a", b"first").file(b"b", b"second");
    each_way(
        &WAYS,
        &two().rename(b"a", b"b"),
        |_| {},
        |way, sandbox, result| {
            result.unwrap_or_else(|error| panic!("{way:?}: {error}"));
            let files = tree::on_disk(&sandbox.target());
            assert_eq!(files.len(), 1);
            assert_eq!(files[&b"b"[..]].to_vec(), b"first");
        },
    );
    each_way(
        &WAYS,
        &two().rename(b"a", b"new/dir/c"),
        |_| {},
        |way, sandbox, result| {
            result.unwrap_or_else(|error| panic!("{way:?}: {error}"));
            assert_eq!(fs::read(sandbox.target().join("new/dir/c")).unwrap(), b"first");
            assert!(!sandbox.target().join("a").exists());
        },
    );
    // A name that is free again is free for another member.
    let again = two().rename(b"a", b"c").file(b"a", b"third").remove(b"b").file(b"b", b"fourth");
    each_way(
        &WAYS,
        &again,
        |_| {},
        |way, sandbox, result| {
            result.unwrap_or_else(|error| panic!("{way:?}: {error}"));
            let files = tree::on_disk(&sandbox.target());
            let contents = [&b"a"[..], b"b", b"c"].map(|name| files[name].to_vec());
            assert_eq!(contents, [&b"third"[..], b"fourth", b"first"]);
        },
    );
    let own = |sandbox: &Sandbox| fs::write(sandbox.target().join("c"), "own").unwrap();
    each_way(&IN_PLACE, &two().rename(b"a", b"c"), own, refused(&[Exists], "onto a user's file"));
    let unknown = two().rename(b"c", b"d");
    each_way(&IN_PLACE, &unknown, own, refused(&[Format], "of a user's file"));
}

/// Patterns leave members out; what a rename then moves in must not be missing in silence.
#[test]
fn a_rename_from_outside_of_the_patterns_is_not_passed_over() {
    let stream = Chunks::default()
        .file(b"tmp/x", b"wanted in the end")
        .file(b"db/other", b"1")
        .rename(b"tmp/x", b"db/t.ibd");
    for way in WAYS {
        let sandbox = Sandbox::new();
        let job = way.job(&sandbox.target()).member_pattern("db").unwrap();
        let error = job.run(&mut &*stream.0, &mut Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{way:?}: {error}");
        assert!(snapshot(&sandbox.target()).is_empty());

        let job = way.job(&sandbox.target()).member_pattern("db/other").unwrap();
        let report = job.run(&mut &*stream.0, &mut Silent).unwrap();
        assert_eq!((report.members, report.skipped), (1, 1), "{way:?}");
    }
}

#[test]
fn huge_claims_cost_no_space() {
    let tebibyte = 1_u64 << 40;
    // 256 holes of 4 GiB - 1.
    let holes = vec![(u32::MAX, 0); 256];
    let stream = Chunks::default().sparse(b"s.ibd", 0, &holes, b"").end(b"s.ibd");
    let stream = stream.seek(b"t", tebibyte).payload(b"t", tebibyte, b"x").end(b"t");
    each_way(
        &WAYS,
        &stream,
        |_| {},
        |way, sandbox, result| {
            match result {
                Ok(_) => {
                    let facts = |name| fs::metadata(sandbox.target().join(name)).unwrap();
                    assert_eq!(facts("s.ibd").len(), 256 * u64::from(u32::MAX), "{way:?}");
                    assert_eq!(facts("t").len(), tebibyte + 1, "{way:?}");
                    let blocks = facts("s.ibd").blocks() + facts("t").blocks();
                    assert!(blocks < 1000, "{way:?}: {blocks} blocks");
                }
                // A file system with a smaller limit, and so an error.
                Err(error) => assert_eq!(error.kind(), ErrorKind::NoSpace, "{way:?}: {error}"),
            }
        },
    );
    let over = |at: u64| Chunks::default().seek(b"t", at).payload(b"t", at, b"x").end(b"t");
    each_way(&WAYS, &over(1 << 48), |_| {}, refused(&[Limit], "a byte above the cap"));
    each_way(&WAYS, &over(u64::MAX), |_| {}, refused(&[Limit], "the last byte there is"));
    let holes = vec![(u32::MAX, 0); (1 << 16) + 1];
    let stream = Chunks::default().sparse(b"s", 0, &holes, b"").end(b"s");
    each_way(&WAYS, &stream, |_| {}, refused(&[Limit], "holes above the cap"));
}

/// The staging directory and the mark are opened as carefully as members are.
#[test]
fn marks_that_lead_elsewhere_are_not_followed() {
    let stream = Chunks::default().file(b"a", b"1");
    let prepare = |sandbox: &Sandbox| {
        symlink("../outside", sandbox.target().join(".xbkit-partial")).unwrap();
        symlink("../outside/kept", sandbox.target().join(".xbkit-incomplete")).unwrap();
    };
    each_way(&WAYS, &stream, prepare, |way, _, result| {
        assert!(result.is_err(), "{way:?}");
    });
    let sandbox = Sandbox::new();
    symlink("../outside", sandbox.target().join(".xbkit-partial")).unwrap();
    let error = WAYS[0].extract(&sandbox.target(), &stream.0).unwrap_err();
    assert_eq!(error.kind(), UnsafePath, "{error}");
    sandbox.assert_nothing_outside("a staging directory that is a symlink");
}

/// Replacing files at the end of a staged run follows no symlink either.
#[test]
fn overwriting_replaces_names_and_not_what_they_lead_to() {
    let sandbox = Sandbox::new();
    let target = sandbox.target();
    fs::create_dir(target.join("db")).unwrap();
    fs::write(target.join("db/own"), "own").unwrap();
    fs::write(target.join("db/t"), "old").unwrap();
    symlink("../outside/kept", target.join("link")).unwrap();
    fs::hard_link(sandbox.outside().join("kept"), target.join("hard")).unwrap();
    let stream = Chunks::default().file(b"db/t", b"new").file(b"link", b"2").file(b"hard", b"3");
    let job = WAYS[1].job(&target).overwrite(true);
    job.run(&mut &*stream.0, &mut Silent).unwrap();
    sandbox.assert_nothing_outside("overwrite");
    let files = tree::on_disk(&target);
    let names: Vec<_> = files.keys().map(|name| String::from_utf8_lossy(name)).collect();
    assert_eq!(names, ["db/own", "db/t", "hard", "link"]);
    assert_eq!(files[&b"db/t"[..]].to_vec(), b"new");
    assert!(fs::symlink_metadata(target.join("link")).unwrap().is_file());

    // A directory that is a symlink takes nothing in; the mark says that the target is a mixture.
    symlink("../outside", target.join("dir")).unwrap();
    let stream = Chunks::default().file(b"dir/new", b"x");
    let job = WAYS[0].job(&target).overwrite(true);
    let error = job.run(&mut &*stream.0, &mut Silent).unwrap_err();
    assert_eq!(error.kind(), UnsafePath, "{error}");
    sandbox.assert_nothing_outside("overwrite through a symlink");
    assert!(target.join(".xbkit-partial").exists());
}

/// Directories as deep as names allow, with few descriptors: they can be made and removed again.
#[test]
fn deep_directories_need_no_descriptor_each() {
    let sandbox = Sandbox::new();
    let mut child = child_after("ulimit -n 64", "deep directories");
    child.env("XBK_TARGET", sandbox.target());
    let output = finish(&mut child);
    for way in WAYS {
        assert_eq!(told(&output, &format!("{way:?}")), "gone, made", "{way:?}");
    }
}

fn deep_directories(target: &Path) {
    let path = [&b"d/".repeat(255)[..], b"f"].concat();
    assert_eq!(path.len(), 511);
    let stream = Chunks::default().file(&path, b"x");
    for way in WAYS {
        let target = &target.join(format!("{way:?}"));
        fs::create_dir(target).unwrap();
        let cut = way.extract(target, &stream.0[..stream.0.len() - 1]);
        let gone = if cut.is_err() && snapshot(target).is_empty() { "gone" } else { "left" };
        let made = way.extract(target, &stream.0).is_ok();
        tell(&format!("{way:?}"), format!("{gone}, {}", if made { "made" } else { "refused" }));
        // Replaced at the end, file by file, down to the deepest.
        let again = Extract::into_dir(target).overwrite(true).sync(false);
        again.run(&mut &*stream.0, &mut Silent).unwrap();
    }
}

/// Modes come from us and the umask, never from a stream.
#[test]
fn modes_are_those_of_the_umask_and_never_set_an_id() {
    for (umask, file, directory) in
        [("0", 0o640, 0o750), ("077", 0o600, 0o700), ("027", 0o640, 0o750)]
    {
        for way in WAYS {
            let sandbox = Sandbox::new();
            let mut child = child_after(&format!("umask {umask}"), "modes");
            child.env("XBK_TARGET", sandbox.target()).env("XBK_WAY", format!("{way:?}"));
            finish(&mut child);
            for (name, entry) in snapshot(&sandbox.target()) {
                let mode = match entry {
                    Entry::File { mode, .. } if mode == file => continue,
                    Entry::Directory { mode } if mode == directory => continue,
                    Entry::File { mode, .. } | Entry::Directory { mode } => mode,
                    other => panic!("{other:?}"),
                };
                panic!("{} has mode {mode:o} under umask {umask}, {way:?}", name.display());
            }
        }
    }
    // A directory that hands its group on does so to directories, as the kernel has it; files get
    // no such bit.
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.target(), fs::Permissions::from_mode(0o2750)).unwrap();
    WAYS[2].extract(&sandbox.target(), &modes_stream().0).unwrap();
    for (name, entry) in snapshot(&sandbox.target()) {
        if let Entry::File { mode, .. } = entry {
            assert_eq!(mode & 0o7000, 0, "{}", name.display());
        }
    }
}

fn modes_stream() -> Chunks {
    Chunks::default().file(b"db/t.ibd", &noise(1, 5000)).file(b"a", b"").file(b"x/y/z", b"1")
}

/// An observer sees member names as they are, and can stop at any of them.
#[test]
fn a_hostile_name_reaches_the_observer_whole() {
    let name = b"a\x1b]0;title\x07\n";
    let stream = Chunks::default().file(name, b"x");
    let sandbox = Sandbox::new();
    let mut seen = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Member { path, .. } = event {
            seen.push(path.as_os_str().as_bytes().to_vec());
        }
        ControlFlow::Continue(())
    };
    WAYS[0].job(&sandbox.target()).run(&mut &*stream.0, &mut observer).unwrap();
    assert_eq!(seen, [name]);
}

#[test]
#[ignore = "what the tests above do in processes of their own"]
fn child_process() {
    match job().as_deref() {
        Some("deep directories") => deep_directories(Path::new(&given("XBK_TARGET"))),
        Some("modes") => {
            let way = given("XBK_WAY");
            let way = WAYS.into_iter().find(|this| format!("{this:?}") == way).unwrap();
            way.extract(Path::new(&given("XBK_TARGET")), &modes_stream().0).unwrap();
        }
        _ => {}
    }
}
