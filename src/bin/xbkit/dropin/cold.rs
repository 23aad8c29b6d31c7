//! `innobackupex`, `xtrabackup` and `mariabackup`: what they are asked to do; and their backups of
//! a stopped server: cold, streamed.
//!
//! Nothing is made up: lines of the real programs that tell positions of a running server
//! (`MySQL binlog position`, `The latest check point`) do not appear.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use xbkit::error::escape_path;
use xbkit::{Error, ErrorKind, Format, Result};

use super::coding;
use super::getopt::{self, Given, Parsed, Setting};
use super::option::Id;
use super::probe::Place;
use super::settings::{Settings, gather};
use super::{Outcome, Tool, answer, hot, parallel, reporter, told, usage};
use crate::coding::Storing;
use crate::jobs::ColdBackup;
use crate::signals;
use crate::stdio::Output;
use crate::ui::Members;

/// Where a server's data lies if nobody says otherwise.
const DATADIR: &str = "/var/lib/mysql";

/// Runs one of the backup programs.
pub(super) fn run(tool: Tool, args: &[OsString]) -> Result<Outcome> {
    let parsed = match gather(tool, args)? {
        Settings::Answered => return Ok(Outcome::Done),
        Settings::Parsed(parsed) => parsed,
    };
    let voice = tool.voice();
    for warning in &parsed.warnings {
        voice.warning(warning);
    }
    if let Some(answer) = answer(tool, &parsed) {
        return answer;
    }
    getopt::check_refused(&parsed.given)?;
    if getopt::is_on(&parsed.given, Id::Decompress) || getopt::is_on(&parsed.given, Id::Decrypt) {
        return decode_files(tool, &parsed);
    }
    match mode_of(tool, &parsed)? {
        Mode::Backup => {}
        Mode::Prepare => return hot::prepare(tool, &parsed),
        Mode::PutBack { moved } => return hot::put_back(tool, &parsed, moved),
    }
    check_words(tool, &parsed)?;
    let format = format(tool, &parsed.given)?;
    let storing = coding::storing(tool, &parsed.given)?;
    let place = Place::of(&parsed.given)?;
    let parallel = parallel(tool, &parsed.given, 1)?;
    let output = if format.is_some() { Some(Output::open(None)?) } else { None };

    voice.note(&tool.banner());
    if let Some(connect) = place.find_running()? {
        let output = output.as_ref().zip(format);
        return hot::backup(tool, &parsed, connect, parallel, storing, output);
    }
    check_cold(&parsed.given)?;
    let (Some(output), Some(format)) = (output, format) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "no server answers, and a cold backup into a directory is not in this version",
        )
        .hint("stream it, and extract the stream: ... --stream=xbstream | xbstream -x -C DIR"));
    };
    let mut job = plan(&parsed.given, format, parallel)?;
    job.storing = storing;
    voice.note(&format!(
        "no server answers: taking a cold backup of '{}'",
        escape_path(&job.datadir)
    ));
    let mut reporter = reporter(tool, Members::Streamed);
    let result = job.run(&output, signals::token()?, &mut reporter);
    let result = result.and_then(|totals| totals.check_pages().map(|()| totals));
    Ok(told(
        &reporter,
        result.map(|totals| {
            voice.note(&format!(
                "the data directory is in the stream: {}, {} bytes; a cold backup needs no --prepare",
                crate::ui::count(totals.members, "file"),
                totals.payload_bytes
            ));
            voice.completed();
        }),
    ))
}

/// `--decompress` and `--decrypt`: the files of a backup that lies in a directory.
fn decode_files(tool: Tool, parsed: &Parsed) -> Result<Outcome> {
    let voice = tool.voice();
    let dir = match (tool, parsed.words.as_slice()) {
        (Tool::Innobackupex, [dir]) => PathBuf::from(dir),
        (Tool::Innobackupex, _) => return Err(usage("one directory must be given")),
        (_, []) => getopt::text(&parsed.given, Id::TargetDir)
            .map(PathBuf::from)
            .ok_or_else(|| usage("the directory must be given with --target-dir"))?,
        (_, [word, ..]) => {
            let word = escape_path(Path::new(word));
            return Err(usage(format!("unknown argument: '{word}'")));
        }
    };
    voice.note(&tool.banner());
    let decoding = coding::decoding(tool, &parsed.given)?;
    let parallel = parallel(tool, &parsed.given, 1)?.max(decoding.threads.unwrap_or(1));
    let job = crate::jobs::DecodeInDir {
        dir,
        decoding,
        remove_original: getopt::is_on(&parsed.given, Id::RemoveOriginal),
        parallel,
    };
    let mut reporter = reporter(tool, Members::Named);
    let result = job.run(signals::token()?, &mut reporter);
    Ok(told(&reporter, result.map(|_| voice.completed())))
}

/// What the program is asked to do.
enum Mode {
    Backup,
    Prepare,
    PutBack { moved: bool },
}

fn mode_of(tool: Tool, parsed: &Parsed) -> Result<Mode> {
    let modes = [
        (Id::Backup, Mode::Backup),
        (Id::Prepare, Mode::Prepare),
        (Id::CopyBack, Mode::PutBack { moved: false }),
        (Id::MoveBack, Mode::PutBack { moved: true }),
    ];
    let mut asked = modes.into_iter().filter(|(id, _)| getopt::is_on(&parsed.given, *id));
    match (asked.next(), asked.next()) {
        (Some((_, mode)), None) => Ok(mode),
        // A backup is what innobackupex makes if it is told nothing.
        (None, _) if tool == Tool::Innobackupex => Ok(Mode::Backup),
        (None, _) => {
            Err(usage("no mode is given: --backup, --prepare, --copy-back or --move-back"))
        }
        (Some(_), Some(_)) => Err(usage("more than one mode is given")),
    }
}

/// What a stopped server cannot be asked for.
fn check_cold(given: &[Given]) -> Result<()> {
    let refused = [
        (Id::SlaveInfo, "slave-info", "the position of a replica's source is asked"),
        (Id::GaleraInfo, "galera-info", "the state of a cluster node is asked"),
    ];
    for (id, name, what) in refused {
        if getopt::is_on(given, id) {
            let message =
                format!("option '--{name}': {what} from a running server, and none answers");
            return Err(Error::new(ErrorKind::Unsupported, message)
                .hint("leave it out: a cold backup carries that state in the data directory"));
        }
    }
    if getopt::text(given, Id::ExtraLsndir).is_some() {
        let message = "option '--extra-lsndir': a cold backup has no checkpoints file to put there, \
                       and no server answers";
        return Err(Error::new(ErrorKind::Unsupported, message)
            .hint("leave it out: the redo log in the data directory says all that is needed"));
    }
    if getopt::number(given, Id::Throttle, "throttle")?.is_some_and(|number| number > 0) {
        let message = "option '--throttle': a stopped server has nothing to be spared";
        return Err(Error::new(ErrorKind::Unsupported, message)
            .hint("leave it out, or limit the stream in the pipe, for instance with pv -L 80m"));
    }
    Ok(())
}

/// Which words a backup may have.
fn check_words(tool: Tool, parsed: &Parsed) -> Result<()> {
    let mut words = parsed.words.iter();
    if tool == Tool::Innobackupex && words.next().is_none() {
        return Err(usage("a backup directory must be given, even if only as scratch space"));
    }
    match words.next() {
        Some(word) => Err(usage(format!("unknown argument: '{}'", escape_path(Path::new(word))))),
        None => Ok(()),
    }
}

/// The format of the stream, if one is asked for; MariaDB's program has a name of its own for
/// xbstream. Every name makes tar, though MariaDB's programs and the newer ones of Percona have given
/// it up.
fn format(tool: Tool, given: &[Given]) -> Result<Option<Format>> {
    let mariadb = matches!(tool, Tool::Mariabackup | Tool::MariadbBackup);
    match getopt::last(given, Id::Stream) {
        None | Some(Setting::Off | Setting::Secret(_)) => Ok(None),
        Some(Setting::On) => Ok(Some(Format::Xbstream)),
        Some(Setting::Text(format)) => match format.as_bytes() {
            b"xbstream" => Ok(Some(Format::Xbstream)),
            b"mbstream" if mariadb => Ok(Some(Format::Xbstream)),
            b"tar" => Ok(Some(Format::Tar)),
            _ => Err(usage("option '--stream' takes xbstream or tar")),
        },
    }
}

/// Finds the directories. Those of the server that lie within the data directory come with it.
fn plan(given: &[Given], format: Format, parallel: usize) -> Result<ColdBackup> {
    let datadir = PathBuf::from(getopt::text(given, Id::Datadir).unwrap_or(OsStr::new(DATADIR)));
    let real = fs::canonicalize(&datadir).map_err(|error| {
        Error::io(ErrorKind::Source, "cannot open the data directory", error)
            .at_path(&datadir)
            .hint("name it with --datadir, or in the [mysqld] group of an option file")
    })?;
    let outside = |id: Id| -> Result<Option<PathBuf>> {
        let Some(value) = getopt::text(given, id) else { return Ok(None) };
        let dir = datadir.join(value);
        Ok((!is_within(&dir, &real)?).then_some(dir))
    };
    let job = ColdBackup {
        storing: Storing::default(),
        format,
        // Its place within the data directory must be known too, to find and lock it.
        data_home: getopt::text(given, Id::DataHome)
            .map(|dir| datadir.join(dir))
            .filter(|dir| fs::canonicalize(dir).ok().as_ref() != Some(&real)),
        system_files: system_files(given)?,
        log_dir: outside(Id::LogDir)?,
        undo_dir: outside(Id::UndoDir)?,
        aria_log_dir: outside(Id::AriaLogDir)?,
        datadir: datadir.clone(),
        parallel: Some(parallel),
        chunk_size: None,
        manifest: !getopt::is_on(given, Id::NoManifest),
        damaged: hot::damaged(given),
    };
    check_elsewhere(given, &datadir, &real)?;
    Ok(job)
}

/// Tablespaces and other files in places that are not carried.
fn check_elsewhere(given: &[Given], datadir: &Path, real: &Path) -> Result<()> {
    let listed =
        getopt::text(given, Id::InnodbDirectories).map(OsStr::as_bytes).unwrap_or_default();
    let listed = listed.split(|byte| *byte == b';').map(|dir| ("innodb-directories", dir));
    let single = [
        ("innodb-doublewrite-dir", Id::DoublewriteDir),
        ("rocksdb-datadir", Id::RocksdbDatadir),
        ("rocksdb-wal-dir", Id::RocksdbWalDir),
    ];
    let single = single
        .into_iter()
        .filter_map(|(name, id)| Some((name, getopt::text(given, id)?.as_bytes())));
    for (name, dir) in listed.chain(single) {
        let dir = dir.trim_ascii();
        if dir.is_empty() {
            continue;
        }
        let dir = datadir.join(OsStr::from_bytes(dir));
        if !is_within(&dir, real)? {
            return Err(elsewhere(name, &dir));
        }
    }
    Ok(())
}

/// The files of the system tablespace, without their sizes.
fn system_files(given: &[Given]) -> Result<Vec<PathBuf>> {
    let list = getopt::text(given, Id::DataFilePath).map(OsStr::as_bytes).unwrap_or_default();
    let mut files = Vec::new();
    for element in list.split(|byte| *byte == b';') {
        let mut parts = element.trim_ascii().split(|byte| *byte == b':');
        let name = PathBuf::from(OsStr::from_bytes(parts.next().unwrap_or_default()));
        if name.as_os_str().is_empty() {
            continue;
        }
        if parts.next().is_some_and(|size| size.ends_with(b"raw")) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the system tablespace is on a raw device, which this version does not carry",
            )
            .at_path(name));
        }
        files.push(name);
    }
    Ok(files)
}

fn elsewhere(option: &str, path: &Path) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "option '--{option}' names files outside the data directory, which this version \
                 does not carry"
        ),
    )
    .at_path(path)
}

/// Whether a directory is the data directory or lies in it. One that is not there holds nothing.
fn is_within(dir: &Path, real: &Path) -> Result<bool> {
    match fs::canonicalize(dir) {
        Ok(dir) => Ok(dir.starts_with(real)),
        Err(error) => {
            Err(Error::io(ErrorKind::Source, "cannot open a directory of the server", error)
                .at_path(dir))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(tool: Tool, words: &[&str]) -> Vec<Given> {
        let args: Vec<OsString> = words.iter().map(OsString::from).collect();
        getopt::parse(tool.table(), &args).unwrap().given
    }

    #[test]
    fn directories_within_the_data_directory_come_with_it() {
        let scratch = tempfile::tempdir().unwrap();
        let data = scratch.path().join("data");
        let undo = scratch.path().join("undo");
        fs::create_dir_all(data.join("redo")).unwrap();
        fs::create_dir(&undo).unwrap();
        let datadir = format!("--datadir={}", data.display());
        let undo_dir = format!("--innodb-undo-directory={}", undo.display());
        let job = plan(
            &given(
                Tool::Xtrabackup,
                &[
                    &datadir,
                    &undo_dir,
                    "--innodb_log_group_home_dir=./redo",
                    "--innodb_data_home_dir=.",
                ],
            ),
            Format::Xbstream,
            3,
        )
        .unwrap();
        assert_eq!(job.datadir, data);
        assert_eq!(job.undo_dir, Some(undo));
        assert_eq!((job.log_dir, job.data_home, job.aria_log_dir), (None, None, None));
        assert_eq!(job.parallel, Some(3));
    }

    #[test]
    fn files_that_would_be_left_behind_are_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let data = scratch.path().join("data");
        let other = scratch.path().join("other");
        fs::create_dir_all(data.join("in")).unwrap();
        fs::create_dir(&other).unwrap();
        let datadir = format!("--datadir={}", data.display());
        let other = other.display();
        let error =
            |words: &[&str]| plan(&given(Tool::Xtrabackup, words), Format::Tar, 1).map(|_| ());
        for refused in [
            format!("--innodb-directories=in;{other}"),
            format!("--innodb-doublewrite-dir={other}"),
            format!("--rocksdb-datadir={other}"),
            "--innodb-data-file-path=disk:10Mnewraw".to_owned(),
        ] {
            let error = error(&[&datadir, &refused]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{refused}: {error}");
        }
        error(&[&datadir, "--innodb-directories=in;"]).unwrap();
        assert_eq!(
            error(&[&datadir, "--innodb-directories=/nonexistent"]).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }

    #[test]
    fn files_of_the_system_tablespace_are_named_without_their_sizes() {
        let files = |value: &str| {
            let option = format!("--innodb-data-file-path={value}");
            system_files(&given(Tool::Mariabackup, &[&option])).unwrap()
        };
        assert_eq!(files("a:10M;/b/c:1G:autoextend:max:2G"), [Path::new("a"), Path::new("/b/c")]);
        assert_eq!(files(""), Vec::<PathBuf>::new());
    }

    #[test]
    fn each_name_makes_both_formats() {
        let check = |tool, words: &[&str]| format(tool, &given(tool, words)).ok().flatten();
        let xbstream = Some(Format::Xbstream);
        assert_eq!(check(Tool::Xtrabackup, &["--stream"]), xbstream);
        assert_eq!(check(Tool::Innobackupex, &["--stream", "xbstream"]), xbstream);
        assert_eq!(check(Tool::MariadbBackup, &["--stream=mbstream"]), xbstream);
        for tool in [Tool::Innobackupex, Tool::Xtrabackup, Tool::Mariabackup] {
            assert_eq!(check(tool, &["--stream=tar"]), Some(Format::Tar));
        }
        assert!(
            format(Tool::Xtrabackup, &given(Tool::Xtrabackup, &["--stream=mbstream"])).is_err()
        );
        assert!(
            format(Tool::Innobackupex, &given(Tool::Innobackupex, &["--stream=cpio"])).is_err()
        );
        assert_eq!(check(Tool::Mariabackup, &[]), None);
    }
}
