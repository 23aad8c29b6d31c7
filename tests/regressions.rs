//! Failures that were found once, each by its scenario.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::fs;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use xbkit::format::xbstream::{append_end, append_payload_header, crc32};
use xbkit::{Backup, CancelToken, Create, ErrorKind, Event, Extract, Silent, StreamReader};

fn datadir(dir: &Path) {
    fs::write(dir.join("ibdata1"), [0; 6]).unwrap();
    fs::write(dir.join("ib_logfile0"), "redo").unwrap();
}

fn members(job: &Backup) -> xbkit::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Member { path, .. } = event {
            names.push(path.display().to_string());
        }
        ControlFlow::Continue(())
    };
    job.run(&mut Vec::new(), &mut observer)?;
    names.sort();
    Ok(names)
}

fn many_members(count: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    for number in 0..count {
        let path = format!("m{number}");
        append_payload_header(&mut stream, path.as_bytes(), 0, 1, crc32(b"x"), false).unwrap();
        stream.push(b'x');
        append_end(&mut stream, path.as_bytes()).unwrap();
    }
    stream
}

/// Readers waited for empty buffers that nobody gave back any more.
#[test]
fn a_panic_of_the_observer_ends_the_reading_threads() {
    let scratch = tempfile::tempdir().unwrap();
    let mut job = Create::new().base(scratch.path()).parallel(2);
    for number in 0..40 {
        let name = format!("f{number}");
        fs::write(scratch.path().join(&name), vec![1; 1 << 20]).unwrap();
        job = job.file(name);
    }
    let mut observer = |event: &Event<'_>| match event {
        Event::Member { .. } => panic!("the observer's own"),
        _ => ControlFlow::Continue(()),
    };
    let run = || job.run(&mut io::sink(), &mut observer);
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

/// Names of temporary files were left out as names of databases too.
#[test]
fn databases_are_carried_whatever_their_names() {
    let scratch = tempfile::tempdir().unwrap();
    datadir(scratch.path());
    for database in ["ibtmp_archive", "xtrabackup_job_info", "x.pid"] {
        fs::create_dir(scratch.path().join(database)).unwrap();
        fs::write(scratch.path().join(database).join("t.ibd"), [0; 4]).unwrap();
    }
    for temporary in ["ibtmp1", "host.pid", "xtrabackup_info", "mariadb_backup_checkpoints"] {
        fs::write(scratch.path().join(temporary), "temporary").unwrap();
    }
    let names = members(&Backup::of_datadir(scratch.path())).unwrap();
    let databases = ["ibtmp_archive/t.ibd", "x.pid/t.ibd", "xtrabackup_job_info/t.ibd"];
    assert_eq!(names, [&["ib_logfile0", "ibdata1"], &databases[..]].concat());
}

/// The log directory was given in the server's option file only, and nobody missed the log.
#[test]
fn a_data_directory_without_its_redo_log_is_not_backed_up() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, logs) = (scratch.path().join("data"), scratch.path().join("logs"));
    fs::create_dir(&data).unwrap();
    fs::create_dir(&logs).unwrap();
    fs::write(data.join("ibdata1"), [0; 6]).unwrap();
    fs::write(logs.join("ib_logfile0"), "redo").unwrap();
    let error = members(&Backup::of_datadir(&data)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint_text().unwrap().contains("innodb_log_group_home_dir"), "{error}");
    let names = members(&Backup::of_datadir(&data).log_dir(&logs)).unwrap();
    assert_eq!(names, ["ib_logfile0", "ibdata1"]);
}

#[test]
fn undo_tablespaces_elsewhere_are_carried_by_either_name() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, undo) = (scratch.path().join("data"), scratch.path().join("undo"));
    fs::create_dir(&data).unwrap();
    fs::create_dir(&undo).unwrap();
    datadir(&data);
    for name in ["undo001", "tenant_a.ibu", "unrelated"] {
        fs::write(undo.join(name), [0; 4]).unwrap();
    }
    let names = members(&Backup::of_datadir(&data).undo_dir(&undo)).unwrap();
    assert_eq!(names, ["ib_logfile0", "ibdata1", "tenant_a.ibu", "undo001"]);
}

/// A system tablespace in a subdirectory was carried twice, once by a place of its own.
#[test]
fn directories_within_the_data_directory_keep_their_place() {
    let scratch = tempfile::tempdir().unwrap();
    let home = scratch.path().join("innodb");
    fs::create_dir(&home).unwrap();
    datadir(&home);
    let job = Backup::of_datadir(scratch.path()).data_home("innodb").log_dir("innodb");
    // The redo log must be found where the walk leaves it.
    assert_eq!(members(&job).unwrap(), ["innodb/ib_logfile0", "innodb/ibdata1"]);
}

/// Only files being read were watched, not those that were read already.
#[test]
fn a_change_behind_the_back_of_a_backup_is_noticed() {
    type Change = fn(&Path);
    let changes: [Change; 3] = [
        |dir| fs::write(dir.join("a.MYD"), "other").unwrap(),
        |dir| fs::write(dir.join("new.MYD"), "new").unwrap(),
        |dir| fs::remove_file(dir.join("a.MYD")).unwrap(),
    ];
    for change in changes {
        let scratch = tempfile::tempdir().unwrap();
        datadir(scratch.path());
        fs::write(scratch.path().join("a.MYD"), "rows").unwrap();
        // Bigger than a chunk, so that what comes before it is out when it is read.
        fs::write(scratch.path().join("b.MYD"), vec![1; 3 << 20]).unwrap();
        fs::write(scratch.path().join("z.MYD"), "last").unwrap();
        let mut done = false;
        let mut observer = |event: &Event<'_>| {
            if matches!(event, Event::Member { .. }) && !std::mem::replace(&mut done, true) {
                change(scratch.path());
            }
            ControlFlow::Continue(())
        };
        let mut stream = Vec::new();
        let error = Backup::of_datadir(scratch.path()).run(&mut stream, &mut observer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileChanged, "{error}");
        assert!(!String::from_utf8_lossy(&stream).contains("z.MYD"), "the last member is not out");
    }
}

/// The token was looked at between reads only, and a read holds thousands of small members.
#[test]
fn a_cancelled_extraction_makes_no_further_member() {
    let scratch = tempfile::tempdir().unwrap();
    let token = CancelToken::new().unwrap();
    let mut seen = 0;
    let mut observer = |event: &Event<'_>| {
        if matches!(event, Event::Member { .. }) {
            seen += 1;
            token.cancel();
        }
        ControlFlow::Continue(())
    };
    let job = Extract::into_dir(scratch.path()).cancel(token.clone());
    let error = job.run(&mut &many_members(1000)[..], &mut observer).unwrap_err();
    assert_eq!((error.kind(), seen), (ErrorKind::Cancelled, 1));
}

/// An interrupted read lost the bytes that were read before it.
#[test]
fn interrupted_reads_lose_nothing() {
    struct Interrupting<'s>(&'s [u8], bool);
    impl Read for Interrupting<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            let len = buf.len().min(4);
            if self.1 {
                Err(io::ErrorKind::Interrupted.into())
            } else {
                self.0.read(&mut buf[..len])
            }
        }
    }
    let stream = many_members(3);
    let mut reader = StreamReader::new(Interrupting(&stream, false)).unwrap();
    let mut items = 0;
    while reader.next_item().unwrap().is_some() {
        items += 1;
    }
    assert_eq!(items, 9);
}

/// The name of a source file stood in front of a failure of the sink.
#[test]
fn a_failing_sink_names_no_source_file() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("f"), "data").unwrap();
    let mut full = fs::File::options().write(true).open("/dev/full").unwrap();
    for parallel in [1, 2] {
        let job = Create::new().base(scratch.path()).file("f").parallel(parallel);
        let error = job.run(&mut full, &mut Silent).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::NoSpace, None), "{error}");
    }
}

/// Each directory of each member was remembered with its whole path.
#[test]
fn deep_paths_cost_no_more_than_their_length() {
    let mut stream = Vec::new();
    for number in 0..20 {
        let path = format!("{number:06}{}", "/a".repeat(250));
        append_end(&mut stream, path.as_bytes()).unwrap();
    }
    let scratch = tempfile::tempdir().unwrap();
    let target = scratch.path().join("in-place");
    fs::create_dir(&target).unwrap();
    // Cut, so that everything has to be taken back again.
    let cut = &stream[..stream.len() - 1];
    let job = Extract::into_dir(&target).in_place(true);
    job.run(&mut &cut[..], &mut Silent).unwrap_err();
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    job.run(&mut &stream[..], &mut Silent).unwrap();
    assert_eq!(fs::read_dir(&target).unwrap().count(), 20);
}

/// With writing threads, members were reported only when more of the stream came.
#[test]
fn finished_members_are_reported_while_the_stream_stalls() {
    for parallel in [1, 2] {
        let scratch = tempfile::tempdir().unwrap();
        let stream = many_members(2);
        let (first, rest) = stream.split_at(stream.len() / 2);
        let (input, mut output) = io::pipe().unwrap();
        output.write_all(first).unwrap();
        // The rest comes only once the first member was reported.
        let mut rest = Some((output, rest));
        let mut observer = |event: &Event<'_>| {
            if matches!(event, Event::Member { .. })
                && let Some((mut output, bytes)) = rest.take()
            {
                output.write_all(bytes).unwrap();
            }
            ControlFlow::Continue(())
        };
        let token = CancelToken::new().unwrap();
        let job = Extract::into_dir(scratch.path()).parallel(parallel).cancel(token.clone());
        let (done, finished) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            // Instead of hanging for good the test fails.
            scope.spawn(move || {
                if finished.recv_timeout(std::time::Duration::from_secs(30)).is_err() {
                    token.cancel();
                }
            });
            let report = job.run_fd(input.as_fd(), &mut observer).unwrap();
            assert_eq!(report.members, 2);
            done.send(()).unwrap();
        });
    }
}
